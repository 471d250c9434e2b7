#!/bin/sh
# Whether fail2ban watches the logins, and can shut out an address. It takes a second to start.
for _ in $(seq 60); do
  fail2ban-client status mailstack >/dev/null 2>&1 && break
  systemctl is-active --quiet fail2ban || { echo 'fail2ban does not run' >&2; exit 1; }
  sleep 0.5
done
said=$(fail2ban-client status mailstack 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
nft list table inet "$1" >/dev/null || { echo "its rules are away: systemctl restart fail2ban" >&2; exit 1; }
