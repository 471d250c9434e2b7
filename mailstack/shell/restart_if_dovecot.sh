#!/bin/sh
# Whether Dovecot must start anew for the configuration staged in $stage.
configuration=/etc/dovecot/dovecot.conf

read_at_start() {  # CONFIGURATION
  # a reload of 2.4 starts no new protocol: the login processes miss their directory
  doveconf -c "$1" -h protocols listen
  # a configuration of another may have sockets that we take away, and a reload complains of that; ours has this line
  head -n 1 "$1"
}
[ "$(read_at_start "$configuration" 2>&1)" != "$(read_at_start "${stage:?}$configuration" 2>&1)" ]
