#!/bin/sh
# Prepare the unit mailstack-upgrade for a part of the upgrade: upgrade_begin.sh PART VERSION < PROGRAM
# VERSION is that of PostgreSQL's cluster `main` before the upgrade, empty without one; the first call decides. The unit is
# in /run, as it is of no use after a reboot: the next call makes another.
set -eu
umask 077
state=/var/lib/mailstack/upgrade unit=/run/systemd/system/mailstack-upgrade.service
mkdir -p $state/done "${unit%/*}"
cat > $state/program.new
mv -fT $state/program.new $state/program  # one that runs goes on with its own
if [ ! -e $state/begun ]; then
  printf '%s\n' "$2" > $state/begun.new
  mv -fT $state/begun.new $state/begun
fi
cat > $unit <<UNIT
[Unit]
Description=Upgrade Debian with the mail server ($1)
[Service]
Type=oneshot
ExecStart=/bin/sh $state/program $1
UNIT
systemctl daemon-reload
