#!/bin/sh
# End mailstack's jail, and its bans: end_fail2ban.sh TABLE FILE... ; the run is about to remove the files.
table=$1
shift
rm -f "$@"
systemctl daemon-reload
# other jails go on
! systemctl is-active --quiet fail2ban || fail2ban-client reload >/dev/null || systemctl restart fail2ban || exit 1
! nft list table inet "$table" >/dev/null 2>&1 || nft delete table inet "$table"
