#!/bin/sh
# Replace the data of the cluster `main` by a copy of the primary's: base_backup.sh VERSION CONNINFO SLOT
# The copy is complete once it has standby.signal: then a run that was killed only puts it in place. An unfinished one
# is made again.
set -eu
cd /
data=$(sed -n "s/^ *data_directory *= *'\([^']*\)'.*/\1/p" "/etc/postgresql/$1/main/postgresql.conf")
data=${data:-/var/lib/postgresql/$1/main}
new=$data.mailstack-new old=$data.mailstack-old
if [ ! -e "$new/standby.signal" ]; then
  rm -rf "$new"
  # the password is in a file that the connection string names
  HOME=/ setpriv --reuid=postgres --regid=postgres --init-groups -- "/usr/lib/postgresql/$1/bin/pg_basebackup" \
    -d "$2" -S "$3" -X stream -c fast -w -D "$new" >&2
  install -o postgres -g postgres -m 600 /dev/null "$new/standby.signal"
  sync -f "$new"
fi
systemctl stop "postgresql@$1-main"
systemctl reset-failed "postgresql@$1-main" 2>/dev/null || :  # nothing starts it meanwhile
if [ -e "$data" ]; then
  rm -rf "$old"
  mv -T "$data" "$old"
fi
mv -T "$new" "$data"
rm -rf "$old"
