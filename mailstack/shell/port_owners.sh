#!/bin/sh
# Print the names of the processes that have certain ports: port_owners.sh SOCKETS SERVICE
#   SOCKETS: a regular expression for "STATE ADDRESS:PORT", as proc(5) writes them; 0A is TCP_LISTEN, and a socket of
#     UDP has 07
#   SERVICE: the service that is expected there
wanted=$1 service=$2
sockets=$(awk -v wanted="$wanted" '($4 " " $2) ~ wanted { print $10 }' \
  /proc/net/tcp /proc/net/udp /proc/net/tcp6 /proc/net/udp6)
[ "$sockets" ] || exit 0
names=$(for socket in $sockets; do
  find /proc/[0-9]*/fd -lname "socket:\[$socket\]" | cut -d / -f 3
done | sort -u | while read -r process; do cat "/proc/$process/comm"; done | sort -u)
if [ "$names" ]; then
  echo "$names"
elif systemctl is-active --quiet "$service"; then  # in a container root may not see whose sockets they are
  echo "$service"
else
  echo "another server"
fi
