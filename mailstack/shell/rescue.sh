#!/bin/sh
# Do a step of mailstack.queue.rescue: rescue.sh PROGRAM STEP [ARGUMENT]
# PROGRAM is base64, a program in Python, which reads messages from standard input. One at a time runs on a host.
fail() { echo "$1" >&2; exit 1; }
command -v python3 >/dev/null || fail 'mailstack.queue.rescue needs python3 on this host: apt-get install python3'
mkdir -m 700 /run/mailstack 2>/dev/null
[ -d /run/mailstack ] || fail '/run/mailstack could not be made' # any user who can open a file can lock it
exec 9>/run/mailstack/rescue.lock
flock -n 9 || fail 'another mailstack.queue.rescue runs on this host; allowed: one at a time'
umask 077
printf %s "$1" | base64 -d > /run/mailstack/rescue || fail '/run/mailstack/rescue could not be written'
shift
exec python3 /run/mailstack/rescue "$@"
