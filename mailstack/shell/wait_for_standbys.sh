#!/bin/sh
# Wait until the standbys that follow have what was written so far, for ten seconds at most, as lookups ask them too:
# wait_for_standbys.sh PORT DATABASE; psql.sh comes before it
port=$1 database=$2
cd / || exit
ask() {
  as_superuser "$port" -d "$database" -c "$1" </dev/null
}
written=$(ask 'SELECT pg_current_wal_lsn()') || exit
for _ in $(seq 50); do
  behind=$(ask "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn < '$written'")
  [ "$behind" = 0 ] && exit
  sleep 0.2
done
echo 'a standby is behind: it has these accounts later' >&2
