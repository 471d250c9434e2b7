#!/bin/sh
# Print the banned addresses: bans.sh [users]; nothing if fail2ban does not watch the mail server.
#   The first line is the host's time zone, and the second the table of nftables as JSON, which shuts them out: others can
#   take it away. Then come the bans as fail2ban prints them. Then the number of guesses that led to the ban of an address
#   and its name, or with `users` the guesses of all of them.
# Files come and go meanwhile, and one that is half written ends in .new.
bans=$(timeout 30 fail2ban-client get mailstack banip --with-time) || exit 0
date '+zone=%z
now=%s'
printf 'rules=%s\n' "$(timeout 30 nft -j list table inet mailstack-bans 2>/dev/null | tr -d '\n')"
printf '%s\n' "$bans"
cd /var/lib/fail2ban/mailstack/banned || exit 0
export LC_ALL=C
case $1 in
  users) find . -type f ! -name '*.new' -exec grep -saH '' {} + |
    sed -n 's/^\.\/\([0-9a-f.:]*\):\([0-9]*\t\)/guess=\1\t\2/p' ;;
  *) find . -type f ! -name '*.new' -exec grep -sacH '' {} + |
    sed -n 's/^\.\/\([0-9a-f.:]*\):\([0-9]*\)$/guesses=\1\t\2/p' ;;
esac
