#!/bin/sh
# Whether fail2ban can run with the configuration staged in $stage, together with that of an administrator.
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
cp -a /etc/fail2ban/. "$new"
cp -a "${stage:?}/etc/fail2ban/." "$new"
said=$(fail2ban-client -c "$new" -t 2>&1) || { printf '%s\n' "$said" | sed "s:$new/:/etc/fail2ban/:g" >&2; exit 1; }
nft -c -f "$new/mailstack.nft" >&2
