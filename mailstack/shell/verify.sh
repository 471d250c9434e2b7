#!/bin/sh
# Run the checks of mailstack.verify: verify.sh PROGRAM PLAN BEGIN END
# All four are base64: an archive of Python, JSON, a script that creates accounts, and one that removes them and
# their mail. systemd runs the last one whatever ends the checks, also a lost connection. It sets `removed` to 0 if no
# account is left.
directory=/run/mailstack-verify unit=mailstack-verify
fail() { echo "$1" >&2; exit 1; }
command -v python3 >/dev/null || fail 'mailstack.verify needs python3 on this host: apt-get install python3'
mkdir -m 700 /run/mailstack 2>/dev/null
[ -d /run/mailstack ] || fail '/run/mailstack could not be made' # any user who can open a file can lock it
exec 9>/run/mailstack/verify.lock
flock -n 9 || fail 'another mailstack.verify runs on this host; allowed: one at a time'
case $(systemctl show --property=ActiveState --value "$unit") in
  inactive | failed) ;;
  *) fail 'another mailstack.verify runs on this host; allowed: one at a time' ;;
esac
rm -rf "$directory" "$directory.left"
umask 077
mkdir "$directory" || fail "$directory could not be made"
full() { rm -rf "$directory"; fail "$directory could not be written: is /run full? df -h /run"; }
{ printf %s "$1" | base64 -d > "$directory/program"; } 2>/dev/null || full
{ printf %s "$2" | base64 -d > "$directory/plan"; } 2>/dev/null || full
{ printf %s "$3" | base64 -d > "$directory/begin"; } 2>/dev/null || full
{
  printf %s "$4" | base64 -d
  # shellcheck disable=SC2016
  printf '\n[ "${removed:-0}" = 0 ] || : > %s\nrm -rf %s\n' "$directory.left" "$directory"
} 2>/dev/null > "$directory/end"
[ "$(tail -n 1 "$directory/end")" = "rm -rf $directory" ] || full
began=$(date +%s)
set -- --quiet --collect --wait --pipe --unit="$unit" --property=RuntimeMaxSec=300 --property=TimeoutStopSec=90 \
  --property=SyslogIdentifier="$unit" \
  --property="ExecStopPost=/bin/sh $directory/end" --setenv=SSH_CONNECTION="${SSH_CONNECTION:-}"
begin="sh $directory/begin || { : > $directory/refused; exit 1; }"
systemd-run "$@" /bin/sh -c "$begin; exec python3 $directory/program $directory/plan" </dev/null
status=$?
[ ! -e "$directory.left" ] || fail 'the accounts of the checks could not be removed'
[ "$status" = 0 ] || [ $(($(date +%s) - began)) -lt 300 ] || fail 'the checks did not end within five minutes'
exit "$status"
