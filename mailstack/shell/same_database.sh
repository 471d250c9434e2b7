#!/bin/sh
# Fail if the data of the cluster `main` are not of this database: same_database.sh VERSION SYSTEM
set -eu
data=$(sed -n "s/^ *data_directory *= *'\([^']*\)'.*/\1/p" "/etc/postgresql/$1/main/postgresql.conf")
data=${data:-/var/lib/postgresql/$1/main}
own=$(LC_ALL=C "/usr/lib/postgresql/$1/bin/pg_controldata" -D "$data" | sed -n 's/^Database system identifier: *//p')
[ "$own" = "$2" ] || { echo "the data in $data are of another database, and stay" >&2; exit 1; }
