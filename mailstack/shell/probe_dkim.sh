#!/bin/sh
# Whether every domain in the database has its DKIM keys, and the host itself, and rspamd can read them:
# probe_dkim.sh DIRECTORY DRIVER HOSTNAME
keys=$1 table=$2:/etc/rspamd/mailstack-domains.cf
fail() { printf '%s\n' "$1" >&2; exit 1; }

files() {  # DOMAINS: print the files by which their mail is signed
  for domain; do
    [ "$domain" != . ] || continue
    [ -s "$keys/$domain/current" ] || fail "no key for $domain"
    printf '%s\n' "$keys/$domain/current"
    while read -r selector; do
      [ -s "$keys/$domain/$selector.key" ] || fail "no key $selector for $domain"
      printf '%s\n' "$keys/$domain/$selector.key"
    done < "$keys/$domain/current"
  done
}

domains=$(postmap -q all "$table" 2>/dev/null || runuser -u postfix -- postmap -q all "$table") || exit 1
# shellcheck disable=SC2046  # a word for each domain
needed=$(files "$3" $(printf '%s' "$domains" | tr ',' ' ')) || exit 1
# shellcheck disable=SC2016
hidden=$(printf '%s\n' "$needed" | setpriv --reuid=_rspamd --regid=_rspamd --init-groups -- sh -c '
  while read -r file; do [ -r "$file" ] || printf "%s\n" "$file"; done') || exit 1
[ -z "$hidden" ] || {
  first=$(printf '%s\n' "$hidden" | head -n 1) number=$(printf '%s\n' "$hidden" | wc -l)
  fail "rspamd can not read $first ($number such), so that mail is not signed: chgrp -R _rspamd ${first%/*};\
 chmod -R g+rX ${first%/*}; systemctl restart rspamd"
}
