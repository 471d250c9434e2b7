#!/bin/sh
# end_units.sh FILE...: end the systemd units of these files, which the run is about to remove.
# UNIT.d/NAME.conf stands for a unit of a package, which may run on if mailstack has nothing to do with it.
for file in "$@"; do
  [ -e "$file" ] || continue
  case $file in
    *.d/*.conf) unit=${file%.d/*} ;;
    *) unit=$file ;;
  esac
  unit=${unit##*/}
  # disable fails for a masked one, which runs no more anyway
  systemctl disable --quiet "$unit" 2>/dev/null || :
  systemctl stop "$unit" || :
  if systemctl is-active --quiet "$unit"; then
    echo "$unit does not stop" >&2
    exit 1
  fi
done
