#!/bin/sh
# Print listening sockets: TCP ports in hexadecimal, and paths of Unix-domain sockets. proc(5): 0A is TCP_LISTEN;
# 00010000 is a listening Unix-domain socket
awk '$4 == "0A" { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 | sort -u
# also of IPv4's loopback
awk '$4 == "0A" && $2 ~ /^(0100007F|00000000):/ { sub(/.*:/, "", $2); print "127.0.0.1:" $2 }' /proc/net/tcp | sort -u
awk '$4 == "00010000" && $8 ~ "^/" { print $8 }' /proc/net/unix | while read -r path; do
  if [ -S "$path" ]; then echo "$path"; fi  # the kernel also lists sockets whose file was removed
done
