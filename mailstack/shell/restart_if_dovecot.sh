#!/bin/sh
# Succeed if Dovecot must restart for the configuration staged in $stage.
configuration=/etc/dovecot/dovecot.conf

read_at_start() {  # CONFIGURATION
  # a reload of 2.4 starts no new protocol: the login processes lack their directory
  doveconf -c "$1" -h protocols listen
  # a configuration without Mailstack's first line may have sockets that the new one removes, which a reload reports
  # as errors
  head -n 1 "$1"
}
[ "$(read_at_start "$configuration" 2>&1)" != "$(read_at_start "${stage:?}$configuration" 2>&1)" ]
