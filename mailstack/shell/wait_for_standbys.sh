#!/bin/sh
# Wait until the standbys that follow have what was written so far, for ten seconds at most, as lookups ask them too:
# wait_for_standbys.sh PORT DATABASE [NUMBER]; psql.sh comes before it
# With NUMBER, fail unless so many have it.
port=$1 database=$2 number=${3:-}
cd / || exit
ask() {
  as_superuser "$port" -d "$database" -c "$1" </dev/null
}
written=$(ask 'SELECT pg_current_wal_lsn()') || exit
if [ -n "$number" ]; then
  query="SELECT greatest($number - count(*), 0) FROM pg_stat_replication
    WHERE state = 'streaming' AND replay_lsn >= '$written'"
else
  query="SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn < '$written'"
fi
for _ in $(seq 50); do
  behind=$(ask "$query")
  [ "$behind" = 0 ] && exit
  sleep 0.2
done
if [ -n "$number" ]; then
  echo 'a standby does not follow, and would still send mail to the host before: mailstack.db.status' >&2
  exit 1
fi
echo 'a standby is behind: it has these accounts later' >&2
