#!/bin/sh
# Name the host in main.cf before Postfix is installed: before_postfix.sh HOSTNAME; keep.sh comes before it.
# With a name of digits, or one left by an earlier attempt, the package's script would fail.
if [ "$(dpkg-query -W -f '${db:Status-Status}' postfix 2>/dev/null)" != installed ]; then
  directory=${MAILSTACK_ROOT:-}/etc/postfix
  (umask 077 && keep /etc/postfix/main.cf) || exit 1
  mkdir -p "$directory" && touch "$directory/main.cf" &&
    sed -i '/^myhostname *=/d; /^# Written by mailstack/d' "$directory/main.cf" &&
    printf '%s\n' '# Written by mailstack for the installation' "myhostname = $1" >> "$directory/main.cf" ||
    exit 1
fi
