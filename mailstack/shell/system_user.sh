#!/bin/sh
# Create or change a system user and a group of the same name, without a login: system_user.sh NAME UID GID HOME SHELL;
# brought.sh comes before it.
getent group "$1" >/dev/null || { bring group "$1" && groupadd --system -g "$3" "$1"; }
if getent passwd "$1" >/dev/null; then
  usermod -g "$3" -d "$4" -s "$5" "$1"
else
  bring user "$1" && useradd --system -u "$2" -g "$3" -d "$4" -M -s "$5" "$1"
fi &&
  [ "$(id -u "$1"):$(id -g "$1")" = "$2:$3" ]
