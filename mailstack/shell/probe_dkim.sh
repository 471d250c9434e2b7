#!/bin/sh
# Whether every domain in the database has a DKIM key: probe_dkim.sh DIRECTORY DRIVER
keys=$1 table=$2:/etc/rspamd/mailstack-domains.cf
domains=$(postmap -q all "$table" 2>/dev/null || runuser -u postfix -- postmap -q all "$table") || exit 1
for domain in $(printf '%s' "$domains" | tr ',' ' '); do
  [ -s "$keys/$domain/current" ] || { echo "no key for $domain" >&2; exit 1; }
done
