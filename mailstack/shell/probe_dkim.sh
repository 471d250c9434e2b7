#!/bin/sh
# Whether every domain in the database has its DKIM keys, and the host itself: probe_dkim.sh DIRECTORY DRIVER HOSTNAME
keys=$1 table=$2:/etc/rspamd/mailstack-domains.cf
domains=$(postmap -q all "$table" 2>/dev/null || runuser -u postfix -- postmap -q all "$table") || exit 1
for domain in "$3" $(printf '%s' "$domains" | tr ',' ' '); do
  [ "$domain" != . ] || continue
  [ -s "$keys/$domain/current" ] || { echo "no key for $domain" >&2; exit 1; }
  while read -r selector; do
    [ -s "$keys/$domain/$selector.key" ] || { echo "no key $selector for $domain" >&2; exit 1; }
  done < "$keys/$domain/current"
done
