#!/bin/sh
# Print a line for each cluster of PostgreSQL: `cluster VERSION/NAME PORT FLAG...`; for start.conf see pg_ctlcluster(1)
for directory in /etc/postgresql/*/*/; do
  [ -e "${directory}postgresql.conf" ] || continue
  name=${directory#/etc/postgresql/}
  name=${name%/} flags=''
  port=$(cat "$directory"postgresql.conf "$directory"conf.d/*.conf |
    sed -n "s/^ *port *[= ] *'*\([0-9]*\).*/\1/p")
  data=$(sed -n "s/^ *data_directory *= *'\([^']*\)'.*/\1/p" "$directory"postgresql.conf)
  data=${data:-/var/lib/postgresql/$name}
  [ -x "/usr/lib/postgresql/${name%/*}/bin/postgres" ] && flags="$flags binaries"
  # a copy of a primary that base_backup.sh will put there counts too
  { [ -e "$data/PG_VERSION" ] || [ -e "$data.mailstack-new/standby.signal" ]; } && flags="$flags data"
  [ -e "$data/standby.signal" ] && flags="$flags standby"
  # databases, tables and tablespaces that initdb(1) has not made have larger numbers
  # shellcheck disable=SC2012
  ls -A "$data/base" "$data"/base/*/ "$data/pg_tblspc" 2>/dev/null |
    awk '/^[0-9]+$/ && $1 >= 16384 { found = 1 } END { exit !found }' && flags="$flags used"
  [ -e "${directory}conf.d/mailstack.conf" ] && flags="$flags ours"
  grep -qs '^# BEGIN mailstack' "${directory}pg_hba.conf" && flags="$flags block"
  { [ -e "$data/postmaster.pid" ] || grep -qx auto "${directory}start.conf"; } && flags="$flags starts"
  echo "cluster $name $(echo "${port:-5432}" | tail -n 1)$flags"
done
