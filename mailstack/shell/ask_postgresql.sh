#!/bin/sh
# Ask PostgreSQL in one session: ask_postgresql.sh PORT DATABASE 'LABEL...' ARGUMENT-OF-PSQL...; psql.sh comes
# before it. If a server that accepts connections fails twice, it has no such database.
port=$1 database=$2 labels=$3
shift 3
command -v psql || exit 0
cd / || exit
ask() {
  as_superuser "$port" -d "$database" "$@"
  [ $? -ne 2 ]
}
# shellcheck disable=SC2086
ask "$@" || { "$(latest pg_isready)" -q -p "$port" && ! ask "$@" && printf '\f%s\n\f00000\n' $labels; }
