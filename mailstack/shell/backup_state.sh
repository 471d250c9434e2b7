#!/bin/sh
# Print the state of a service, its progress, and the result of its last run: backup_state.sh UNIT RECORD. A job that waits counts
# as running.
state=$(systemctl show -p ActiveState -p Result -p Job "$1")
case $state in
  *Job=[1-9]*) echo ActiveState=activating ;;
  *) printf '%s\n' "$state" ;;
esac
printf '\f'
cat /run/mailstack-backup/progress.json 2>/dev/null
printf '\f'
result=/var/lib/mailstack/$2.json
mark=/run/mailstack-backup/$2.begun
if [ -e "$mark" ]; then result=$(find "$result" -newer "$mark" 2>/dev/null); fi
[ -z "$result" ] || cat "$result" 2>/dev/null
exit 0
