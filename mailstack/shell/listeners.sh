#!/bin/sh
# What is listened on: TCP ports in hexadecimal, and paths of Unix-domain sockets. proc(5): 0A is TCP_LISTEN;
# 00010000 is a Unix-domain socket that listens
awk '$4 == "0A" { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 | sort -u
awk '$4 == "00010000" && $8 ~ "^/" { print $8 }' /proc/net/unix | while read -r path; do
  if [ -S "$path" ]; then echo "$path"; fi  # the kernel lists one whose file was removed, too
done
