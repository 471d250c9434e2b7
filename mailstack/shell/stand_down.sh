#!/bin/sh
# Stop a primary once its standbys have all of it, and make it a standby: stand_down.sh VERSION
# It does not start as a primary any more. PostgreSQL waits for standbys as it stops. Its slots would keep what nobody
# needs any more; without a server, PostgreSQL's manual removes them so too ("Base Backup Using the Low Level API").
set -eu
data=$(sed -n "s/^ *data_directory *= *'\([^']*\)'.*/\1/p" "/etc/postgresql/$1/main/postgresql.conf")
data=${data:-/var/lib/postgresql/$1/main}
systemctl stop "postgresql@$1-main"
install -o postgres -g postgres -m 600 /dev/null "$data/standby.signal"
rm -rf "$data"/pg_replslot/mailstack_*
