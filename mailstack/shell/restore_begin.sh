#!/bin/sh
# Note what a restore is to bring back: restore_begin.sh WISHES GIVEN < PASSWORD
# WISHES is a line of JSON. GIVEN is empty if the host has the right password. The restore tries another one before it
# takes the place of the host's own.
set -eu
umask 077
mkdir -p /var/lib/mailstack/backup
printf '%s\n' "$1" > /var/lib/mailstack/backup/wishes.new
mv -fT /var/lib/mailstack/backup/wishes.new /var/lib/mailstack/backup/wishes.json
if [ "$2" ]; then
  cat > /var/lib/mailstack/backup/password.new
else
  rm -f /var/lib/mailstack/backup/password.new
fi
