#!/bin/sh
# last_of_mailbox.sh EMAIL TO
# Copy the last of a locked mailbox to the host TO: after deliveries that began before the lock, and without sessions.
set -u
email=$1 to=$2
kept=$(mktemp -d) || exit 1
trap 'rm -rf "$kept"' EXIT

deliveries() {  # each connection of LMTP, of other hosts and of this one
  { ss -tnH state established sport = :24; ss -xnH state connected | grep -F /dovecot-lmtp; } |
    sed 's/^ *[0-9]* *[0-9]* *//; s/[[:space:]]\{1,\}/ /g' | sort
}

sleep 2  # a delivery or a login may have asked the database just before
deliveries > "$kept/before"
left=60
while deliveries | comm -12 - "$kept/before" | grep -q .; do
  left=$((left - 1))
  [ $left -gt 0 ] || { echo "a delivery has not ended within a minute" >&2; exit 1; }
  sleep 1
done
left=30
while doveadm -f tab who "$email" 2>/dev/null | sed 1d | grep -q .; do  # a command that runs may still change the mail
  left=$((left - 1))
  [ $left -gt 0 ] || { echo "a session does not end: doveadm who" >&2; exit 1; }
  doveadm kick "$email" >/dev/null 2>&1
  sleep 1
done
for _ in 1 2 3; do
  said=$(timeout 300 doveadm backup -u "$email" "$to" 2>&1) && exit 0
  sleep 1
done
printf '%s\n' "$said" | tail -n 1 >&2
exit 1
