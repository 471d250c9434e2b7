#!/bin/sh
# Start a service of the type oneshot and return at once: follow_start.sh UNIT RECORD DIRECTORY. One that runs goes on.
# DIRECTORY, in /run, has its progress. A result in RECORD that is older than the mark is of another run.
systemctl is-active --quiet "$1" && exit
case $(systemctl show -p ActiveState --value "$1") in activating) exit ;; esac
systemctl reset-failed --quiet "$1" 2>/dev/null || :
umask 077
mkdir -p "$3"
rm -f "$3/progress.json"
touch "$3/$2.begun"
systemctl start --no-block "$1"
