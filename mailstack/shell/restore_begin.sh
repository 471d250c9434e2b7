#!/bin/sh
# Note what a restore is to bring back: restore_begin.sh WISHES PASSWORD-FILE < NEW-PASSWORD
# WISHES is a line of JSON. PASSWORD-FILE is empty if the host has the right password.
set -eu
umask 077
mkdir -p /var/lib/mailstack/backup
printf '%s\n' "$1" > /var/lib/mailstack/backup/wishes.new
mv -fT /var/lib/mailstack/backup/wishes.new /var/lib/mailstack/backup/wishes.json
if [ "$2" ]; then
  mkdir -p "${2%/*}"
  cat > "$2.new"
  mv -fT "$2.new" "$2"
fi
