#!/bin/sh
# Shut out an address, and fail if it is not shut out then: ban.sh TABLE SET ELEMENT COMMAND
# COMMAND makes fail2ban do it. It does so a moment later, and after a restart it brings all bans back, one after the other.
table=$1 set=$2 element=$3
sh -c "$4" || exit
for _ in $(seq 60); do
  ! timeout 10 nft get element inet "$table" "$set" "{ $element }" >/dev/null 2>&1 || exit 0
  sleep 0.5
done
echo "$element is not in the rules of nftables, so it is not shut out: tail /var/log/fail2ban.log on the host says why" >&2
exit 1
