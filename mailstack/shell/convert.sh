#!/bin/sh
# Carry one user's mail over to another mail driver: convert.sh PROGRAM PLAN
# Both are base64: a program in Python, and JSON with its plan. systemd opens the mailbox again whatever ends the
# program. A lost connection does not end it.
directory=/run/mailstack-convert unit=mailstack-convert
fail() { echo "$1" >&2; exit 1; }
command -v python3 >/dev/null || fail 'mailstack.accounts.convert needs python3 on this host: apt-get install python3'
mkdir -m 700 /run/mailstack 2>/dev/null
[ -d /run/mailstack ] || fail '/run/mailstack could not be made' # any user who can open a file can lock it
exec 9>/run/mailstack/convert.lock
flock -n 9 || fail 'another mailstack.accounts.convert runs on this host; allowed: one at a time'
case $(systemctl show --property=ActiveState --value "$unit") in
  inactive | failed) ;;
  *) fail 'another mailstack.accounts.convert runs on this host; allowed: one at a time' ;;
esac
rm -rf "$directory"
umask 077
mkdir "$directory" || fail "$directory could not be made"
printf %s "$1" | base64 -d > "$directory/program"
printf %s "$2" | base64 -d > "$directory/plan"
set -- --quiet --collect --wait --pipe --unit="$unit" --property=RuntimeMaxSec=2d --property=SyslogIdentifier="$unit" \
  --property="ExecStopPost=/usr/bin/python3 $directory/program $directory/plan undo"
systemd-run "$@" /usr/bin/python3 "$directory/program" "$directory/plan" </dev/null
status=$?
rm -rf "$directory"
# what could not be delivered meanwhile does not wait for Postfix's next attempt
[ ! -e /etc/systemd/system/mailstack-flush.service ] || systemctl restart --no-block mailstack-flush
exit "$status"
