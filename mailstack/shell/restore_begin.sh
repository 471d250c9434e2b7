#!/bin/sh
# Note what a restore is to bring back: restore_begin.sh WISHES GIVEN < PASSWORD
# WISHES is a line of JSON. GIVEN is empty if the host has the right password. The restore tries another one before it
# takes the place of the host's own.
set -eu
umask 077
place=${MAILSTACK_ROOT:-}/var/lib/mailstack/backup
mkdir -p "$place"
case $(systemctl show -p ActiveState --value mailstack-restore) in
  activating | deactivating)
    # the same command, such as after a lost connection, waits for its end
    wished=$(cat "$place/wishes.json" 2>/dev/null) || :
    if [ "$1" = "$wished" ]; then exit; fi
    echo "another restore is at work on this host: try again after it" >&2
    exit 1 ;;
esac
printf '%s\n' "$1" > "$place/wishes.new"
mv -fT "$place/wishes.new" "$place/wishes.json"
if [ "$2" ]; then
  cat > "$place/password.new"
else
  rm -f "$place/password.new"
fi
