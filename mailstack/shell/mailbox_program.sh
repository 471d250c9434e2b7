#!/bin/sh
# Run a program on the mail of one user: mailbox_program.sh COMMAND PROGRAM PLAN
# COMMAND is that of mailstack.accounts. The others are base64: a program in Python, and JSON with its plan, which may
# have a password. So no other user can read it, and it is no argument of a process. systemd runs "PROGRAM PLAN undo"
# whatever ends the program. A lost connection does not end it.
command=mailstack.accounts.$1 unit=mailstack-$1 directory=/run/mailstack-$1
fail() { echo "$1" >&2; exit 1; }
command -v python3 >/dev/null || fail "$command needs python3 on this host: apt-get install python3"
mkdir -m 700 /run/mailstack 2>/dev/null
[ -d /run/mailstack ] || fail '/run/mailstack could not be made' # any user who can open a file can lock it
exec 9>"/run/mailstack/$1.lock"
flock -n 9 || fail "another $command runs on this host; allowed: one at a time"
case $(systemctl show --property=ActiveState --value "$unit") in
  inactive | failed) ;;
  *) fail "another $command runs on this host; allowed: one at a time" ;;
esac
rm -rf "$directory"
umask 077
mkdir "$directory" || fail "$directory could not be made"
printf %s "$2" | base64 -d > "$directory/program"
printf %s "$3" | base64 -d > "$directory/plan"
set -- --quiet --collect --wait --pipe --unit="$unit" --property=RuntimeMaxSec=8d --property=SyslogIdentifier="$unit" \
  --property="ExecStopPost=/usr/bin/python3 $directory/program $directory/plan undo"
systemd-run "$@" /usr/bin/python3 "$directory/program" "$directory/plan" </dev/null
status=$?
rm -rf "$directory"
# what could not be delivered meanwhile does not wait for Postfix's next attempt; the unit may be masked
systemctl restart --no-block mailstack-flush 2>/dev/null
exit "$status"
