#!/bin/sh
# Fail if the data of the cluster `main` are not of this database, or of a primary that was promoted later than the one
# with this timeline: same_database.sh VERSION SYSTEM TIMELINE
set -eu
data=$(sed -n "s/^ *data_directory *= *'\([^']*\)'.*/\1/p" "/etc/postgresql/$1/main/postgresql.conf")
data=${data:-/var/lib/postgresql/$1/main}
control=$(LC_ALL=C "/usr/lib/postgresql/$1/bin/pg_controldata" -D "$data")
own=$(echo "$control" | sed -n 's/^Database system identifier: *//p')
[ "$own" = "$2" ] || { echo "the data in $data are of another database, and stay" >&2; exit 1; }
timeline=$(echo "$control" |
  sed -n "s/^Latest checkpoint's TimeLineID: *//p; s/^Min recovery ending loc's timeline: *//p" | sort -n | tail -n 1)
[ "$timeline" -le "$3" ] || {
  echo "the data in $data are of timeline $timeline, later than the primary's $3, and stay: see mail_db_primary" >&2
  exit 1
}
