#!/bin/sh
# Print the state of a service, its progress, and the result of its last run: follow_state.sh UNIT RECORD DIRECTORY. A job that
# waits counts as running.
state=$(systemctl show -p ActiveState -p Result -p Job "$1")
case $state in
  *Job=[1-9]*) echo ActiveState=activating ;;
  *) printf '%s\n' "$state" ;;
esac
printf '\f'
cat "$3/progress.json" 2>/dev/null
printf '\f'
result=/var/lib/mailstack/$2.json
mark=$3/$2.begun
if [ -e "$mark" ]; then result=$(find "$result" -newer "$mark" 2>/dev/null); fi
[ -z "$result" ] || cat "$result" 2>/dev/null
exit 0
