#!/bin/sh
# Fail if another run works on this home: lock_home.sh HOME
# The lock is held as long as this shell, or a program that it has started, lives; also without a connection.
if [ -d "$1" ]; then
  exec 9<"$1" || exit 1
  flock -n 9 || { echo 'a copy that a run before has begun is not finished; run it again later' >&2; exit 1; }
fi
