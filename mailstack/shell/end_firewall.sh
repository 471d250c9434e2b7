#!/bin/sh
# Remove the firewall: end_firewall.sh UNIT FILE... ; the run is about to remove the files.
unit=$1
shift
if [ -e "$unit" ]; then
  systemctl disable --quiet "${unit##*/}" 2>/dev/null || :
  systemctl stop "${unit##*/}" || exit 1
fi
! nft list table inet mailstack >/dev/null 2>&1 || nft delete table inet mailstack
# these change units of others, which should not have to wait for a restart
rm -f "$@"
systemctl daemon-reload
