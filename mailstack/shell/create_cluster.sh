#!/bin/sh
# Create PostgreSQL's cluster `main` if it does not exist: create_cluster.sh VERSION PORT
# pg_ctlcluster(1) starts it after Mailstack's configuration is in place.
[ -e "/etc/postgresql/$1/main/postgresql.conf" ] ||
  pg_createcluster --port "$2" --encoding UTF8 --locale C.UTF-8 "$1" main >&2 || exit 1
