#!/bin/sh
# Whether fail2ban watches the logins, and can shut out an address: probe_fail2ban.sh TABLE PROGRAM [SCRIPT]
#   With SCRIPT also whether Dovecot has it, which writes a line about each wrong login.
fail() { printf '%s\n' "$1" >&2; exit 1; }

watches() {
  timeout 10 fail2ban-client status mailstack >/dev/null 2>&1
}

# shellcheck disable=SC2016
in_force() {  # whether the rules have all banned addresses
  for family in 4 6; do
    [ "$family" = 4 ] && dots='\.' || dots=:
    timeout 10 fail2ban-client get mailstack banip | tr -s ' ,' '\n' | grep "$dots" |
      xargs -r -n 500 sh -c 'table=$1 set=$2; shift 2
        timeout 10 nft get element inet "$table" "$set" "{ $(printf "%s, " "$@") }" >/dev/null 2>&1' - "$1" "ipv$family" ||
      return 1
  done
}

elements() {
  nft list table inet "$1" | grep -oE '[0-9a-f]+[.:][0-9a-f.:]+' | wc -l
}

# fail2ban takes a second to start
for _ in $(seq 60); do
  ! watches || break
  systemctl is-active --quiet fail2ban || fail 'fail2ban does not run: systemctl start fail2ban'
  timeout 10 fail2ban-client -d 2>/dev/null | grep -q "'add', 'mailstack'" ||
    fail "another file below /etc/fail2ban switches the jail mailstack off: $(cd /etc/fail2ban && grep -ls '^\[mailstack\]' \
      jail.local jail.d/* | grep -vx jail.d/mailstack.conf | paste -sd ' ')"
  sleep 0.5
done
watches || fail 'fail2ban does not have the jail mailstack: systemctl restart fail2ban'
rules=$(nft list table inet "$1" 2>/dev/null | grep -c '@ipv[46] reject')
[ "$rules" = 2 ] || fail 'its rules are away: systemctl restart fail2ban'
# It bans a moment before the rules have the address, and after a start it brings one ban after the other back
number=-1
for _ in $(seq 15); do
  ! in_force "$1" || break
  before=$number number=$(elements "$1")
  [ "$number" != "$before" ] || fail 'addresses that it has banned are not in its rules: systemctl restart fail2ban'
  sleep 3
done
"$2" >/dev/null 2>&1
[ $? = 2 ] || fail "$2 does not run, so nobody is shut out"
[ -z "$3" ] || doveconf -n | grep -q "$3" || fail "Dovecot does not have $3, which writes wrong logins"
