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
# without the mark, the host has booted since: the result is of another run, and the unit was cut off
result=$(find "/var/lib/mailstack/$2.json" -newer "$3/$2.begun" 2>/dev/null)
[ -z "$result" ] || cat "$result" 2>/dev/null
exit 0
