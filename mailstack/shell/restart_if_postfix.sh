#!/bin/sh
# Succeed if Postfix must restart for the configuration staged in $stage.
# postconf(5) says which parameters are read when it starts, and not by a reload.
staged=${stage:?}/etc/postfix
at_start='inet_interfaces inet_protocols import_environment'
# shellcheck disable=SC2086
[ "$(postconf -hx $at_start 2>&1)" != \
  "$(postconf -c "$staged" -o config_directory="$staged" -hx $at_start 2>&1)" ]
