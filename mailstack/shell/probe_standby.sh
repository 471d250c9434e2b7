#!/bin/sh
# Whether a standby follows a primary, within ten seconds: probe_standby.sh PORT DATABASE; psql.sh comes before it
port=$1 database=$2
cd / || exit
for _ in $(seq 20); do
  found=$(as_superuser "$port" -d "$database" -c \
    "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'" </dev/null) || exit
  [ "$found" = 0 ] || exit 0
  sleep 0.5
done
echo 'it has old data, which this host looks up' >&2
exit 1
