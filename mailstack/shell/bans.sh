#!/bin/sh
# Print the banned addresses: bans.sh [users]; nothing if fail2ban does not watch the mail server.
#   The first line is the host's time zone; then come the bans as fail2ban prints them. Then the number of guesses of
#   each address and its name, or with `users` the guesses of all addresses.
bans=$(timeout 30 fail2ban-client get mailstack banip --with-time) || exit 0
date +zone=%z
printf '%s\n' "$bans"
cd /var/lib/fail2ban/mailstack/guesses || exit 0
case $1 in
  users) find . -type f ! -name '*.new' -exec awk '{ print "guess=" substr(FILENAME, 3) "\t" $0 }' {} + ;;
  *) find . -type f ! -name '*.new' -exec awk '{ n[FILENAME]++ }
       END { for (name in n) print "guesses=" substr(name, 3) "\t" n[name] }' {} + ;;
esac
