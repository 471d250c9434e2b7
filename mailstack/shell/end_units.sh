#!/bin/sh
# end_units.sh FILE...: end the systemd units of these files, which the run is about to remove.
for file in "$@"; do
  [ -e "$file" ] || continue
  unit=${file##*/}
  # disable fails for a masked one, which runs no more anyway
  systemctl disable --quiet "$unit" 2>/dev/null || :
  systemctl stop "$unit" || :
  if systemctl is-active --quiet "$unit"; then
    echo "$unit does not stop" >&2
    exit 1
  fi
done
