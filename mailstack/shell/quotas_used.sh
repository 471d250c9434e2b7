#!/bin/sh
# Ask Dovecot what mailboxes have: quotas_used.sh [USER HOME]...
# It has a minute, and 50 ms for each mailbox: a Dovecot that is stopped would never answer.
command -v doveadm || exit 0
users=$(mktemp) || exit
trap 'rm -f "$users"' EXIT
seconds=$((60 + $# / 40))
while [ $# -gt 0 ]; do
  if [ -d "$2" ]; then
    printf '%s\n' "$1" >> "$users"
  else
    printf 'empty\t%s\n' "$1"
  fi
  shift 2
done
[ ! -s "$users" ] || timeout "$seconds" doveadm -f tab quota get -F "$users"
