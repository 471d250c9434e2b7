#!/bin/sh
# Start a service of the type oneshot and return at once: backup_start.sh UNIT RECORD. One that runs goes on.
# A result in RECORD that is older than the mark is of another run.
systemctl is-active --quiet "$1" && exit
case $(systemctl show -p ActiveState --value "$1") in activating) exit ;; esac
systemctl reset-failed --quiet "$1" 2>/dev/null || :
umask 077
mkdir -p /run/mailstack-backup
rm -f /run/mailstack-backup/progress.json
touch "/run/mailstack-backup/$2.begun"
systemctl start --no-block "$1"
