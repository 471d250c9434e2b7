#!/bin/sh
# Whether PostgreSQL has the mail database: probe_postgresql.sh PORT DATABASE; psql.sh comes before it
port=$1 database=$2
cd / || exit
as_superuser "$port" -d "$database" -c 'SELECT 1 FROM mail_domain LIMIT 1' >/dev/null </dev/null
