#!/bin/sh
# Run the SQL on standard input in the database that every server has: run_postgresql.sh PORT ARGUMENT-OF-PSQL...
# psql.sh comes before it. psql(1): 2 is no connection.
port=$1
shift
cd / || exit
sql=$(cat)

run() {  # DATABASE ARGUMENT-OF-PSQL...
  printf '%s\n' "$sql" | as_superuser "$port" -d "$@" -f - >/dev/null
}

run postgres "$@" && exit
state=$?
[ $state -eq 2 ] || exit $state
# existing lines refuse: meanwhile a line in mailstack's block opens a database that no application uses
read -r version cluster <<END
$(pg_lsclusters -h | awk -v port="$port" '$3 == port && $4 ~ /^online/ { print $1, $2 }')
END
hba=/etc/postgresql/$version/$cluster/pg_hba.conf
trap 'sed -i "2{/template1 postgres peer/d}" "$hba"; pg_ctlcluster "$version" "$cluster" reload' EXIT
trap 'exit 1' HUP INT TERM
sed -i '1a local template1 postgres peer' "$hba"
pg_ctlcluster "$version" "$cluster" reload
for _ in 1 2 3 4 5 6 7 8 9 10; do
  sleep 0.2
  run template1 "$@" && state=0 || state=$?
  [ $state -eq 2 ] || break
done
exit $state
