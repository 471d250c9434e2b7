#!/bin/sh
# Whether fail2ban watches the logins, and can shut out an address: probe_fail2ban.sh TABLE PROGRAM [SCRIPT]
#   With SCRIPT also whether Dovecot has it, which writes a line about each wrong login.
# fail2ban takes a second to start.
for _ in $(seq 60); do
  fail2ban-client status mailstack >/dev/null 2>&1 && break
  systemctl is-active --quiet fail2ban || { echo 'fail2ban does not run' >&2; exit 1; }
  sleep 0.5
done
said=$(fail2ban-client status mailstack 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
rules=$(nft list table inet "$1" | grep -c '@ipv[46] reject')
[ "$rules" = 2 ] || { echo "its rules are away: systemctl restart fail2ban" >&2; exit 1; }
"$2" >/dev/null 2>&1
[ $? = 2 ] || { echo "$2 does not run, so nobody is shut out" >&2; exit 1; }
[ -z "$3" ] || doveconf -n | grep -q "$3" || { echo "Dovecot does not have $3, which writes wrong logins" >&2; exit 1; }
