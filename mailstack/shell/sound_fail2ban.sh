#!/bin/sh
# Print why nobody is shut out though fail2ban runs: sound_fail2ban.sh TABLE; nothing if it is as it should be.
# Somebody may have flushed the rules of nftables, and to fail2ban its bans stand.
missing() {  # print what its rules lack
  rules=$(timeout 10 nft list table inet "$1" 2>/dev/null)
  if [ "$(printf '%s\n' "$rules" | grep -c '@ipv[46] reject')" != 2 ]; then
    # it has none, too, if another file switches the jail off
    timeout 20 fail2ban-client get mailstack banip >/dev/null 2>&1 && echo 'its rules are away'
  elif ! printf '%s\n' "$rules" | grep -q 'elements = '; then
    [ -z "$(timeout 20 fail2ban-client get mailstack banip 2>/dev/null)" ] || echo 'its bans are not in its rules'
  fi
}

# it bans a moment before the rules have the address, and takes a second to start
[ -z "$(missing "$1")" ] || { sleep 3; missing "$1"; }
