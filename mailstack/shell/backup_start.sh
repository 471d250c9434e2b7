#!/bin/sh
# Start a service of the type oneshot and return at once: backup_start.sh UNIT. One that runs goes on.
systemctl is-active --quiet "$1" && exit
case $(systemctl show -p ActiveState --value "$1") in activating) exit ;; esac
systemctl reset-failed --quiet "$1" 2>/dev/null || :
rm -f /run/mailstack-backup/progress.json
systemctl start --no-block "$1"
