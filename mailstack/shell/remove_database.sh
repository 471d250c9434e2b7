#!/bin/sh
# The mail database of a removal; remove_begin.sh and psql.sh come before it.
# A server that does not answer ends the run: it may have the mail's database, and those of others.
# shellcheck disable=SC2154  # remove_begin.sh sets them
database=$(of database)
engine=$(of engine) port=$(of port)

ask() {  # SQL [DATABASE], by the superuser
  cd /
  case $engine in
    mysql) mariadb --no-defaults --protocol=socket -NB -e "$1" ${2:+"$2"} ;;
    *) as_superuser "$port" -d "${2:-postgres}" -c "$1" ;;
  esac </dev/null
}

has_server() {
  [ "$database" ] || return 1
  case $engine in
    mysql) is_installed mariadb-server ;;
    *) [ "$(servers)" ] ;;
  esac
}

servers() {  # the packages of PostgreSQL's servers: a purge of one deletes all clusters of its version
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'postgresql-[0-9]*' 2>/dev/null |
    sed -nE 's/^installed (postgresql-[0-9]+)$/\1/p'
}

databases() {
  case $engine in
    mysql) ask 'SHOW DATABASES' ;;
    *) ask 'SELECT datname FROM pg_database' ;;
  esac 2>/dev/null || unanswered
}

unanswered() {  # end the run, with the reason
  said=$(ask 'SELECT 1' 2>&1 >/dev/null) || :
  case $said in
    *pg_hba.conf* | *'authentication failed'* | *'no password supplied'* | *'Access denied'*)
      refuse "the database server refuses its superuser: $(printf '%s' "$said" | inline); \
allowed: a server that lets the system user $(superuser) in by its socket, without a password" ;;
  esac
  refuse "the database server does not answer: start it first${said:+ ($(printf '%s' "$said" | inline))}"
}

superuser() { case $engine in mysql) echo root ;; *) echo postgres ;; esac; }

is_there() {  # DATABASE
  names=$(databases) || exit 1
  printf '%s\n' "$names" | grep -qxF -e "$1"
}

has_database() {
  has_server || return 1
  is_there "$database"
}

beside() {  # databases of a restore that was killed, see MariaDB in on_host/backup/database.py
  [ "$engine" != mysql ] || [ ! -e "$own/backup/beside" ] ||
    printf '%s\n' "${database}_restored" "${database}_replaced"
}

others() {  # databases of others, and other clusters, which go with the packages of PostgreSQL
  names=$(databases) || exit 1
  case $engine in
    mysql) printf '%s\n' "$names" |
      grep -vxF -e information_schema -e mysql -e performance_schema -e sys -e "$database" -e "$(beside)" || : ;;
    *)
      printf '%s\n' "$names" | grep -vxF -e postgres -e template0 -e template1 -e "$database" || :
      pg_lsclusters -h | awk -v port="$port" '$3 != port || $4 !~ /^online/ { print $1 "/" $2 }' ;;
  esac
}

data_directory() {
  case $engine in
    mysql) echo /var/lib/mysql ;;
    *) echo /var/lib/postgresql ;;
  esac
}

foreign() {  # tables in the mail database that are no part of it
  case $engine in
    mysql) ask "SELECT table_name FROM information_schema.tables WHERE table_schema = '$database'
      AND table_name NOT LIKE 'mail\\_%' AND table_name NOT LIKE 'mailstack\\_%'" ;;
    *) ask "SELECT format('%I.%I', nspname, relname)
      FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_roles r ON r.oid = relowner
      WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname !~ '^pg_|^information_schema\$'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')
      AND rolname NOT IN ($(of role | sed "s/.*/'&'/" | paste -sd ,))" "$database" ;;
  esac
}

is_standby() { [ "$engine" != mysql ] && [ "$(ask 'SELECT pg_is_in_recovery()' 2>/dev/null)" = t ]; }

followers() {  # standbys, also those that are away, and others that read all changes
  [ "$engine" = mysql ] ||
    ask 'SELECT slot_name FROM pg_replication_slots UNION SELECT application_name FROM pg_stat_replication'
}

users() { ask 'SELECT count(*) FROM mail_users' "$database" 2>/dev/null || echo '?'; }  # how many

dump() {
  cd /
  case $engine in
    mysql) mariadb-dump --no-defaults --protocol=socket --single-transaction --routines --triggers --events "$database" ;;
    *) setpriv --reuid=postgres --regid=postgres --init-groups -- "$(latest pg_dump)" -w -p "$port" -d "$database" ;;
  esac </dev/null
}

accounts_of() {  # ROLE: its accounts that nothing outside of the mail database needs
  case $engine in
    mysql) ask "SELECT CONCAT(QUOTE(u.user), '@', QUOTE(u.host)) FROM mysql.user u WHERE u.user = '$1'
      AND NOT EXISTS (SELECT 1 FROM mysql.db d WHERE d.user = u.user AND d.host = u.host
        AND REPLACE(d.db, '\\\\', '') <> '$database')
      AND NOT EXISTS (SELECT 1 FROM mysql.tables_priv t WHERE t.user = u.user AND t.host = u.host
        AND t.db <> '$database')" ;;
    *) ask "SELECT quote_ident(rolname) FROM pg_roles r WHERE rolname = '$1' AND NOT EXISTS (
      SELECT FROM pg_shdepend s LEFT JOIN pg_database d
        ON d.oid = s.dbid OR s.dbid = 0 AND s.classid = 'pg_database'::regclass AND d.oid = s.objid
      WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid AND d.datname IS DISTINCT FROM '$database')" ;;
  esac
}

drop() {  # the database and its roles
  has_server || return 0
  for name in "$database" $(beside); do
    ! is_there "$name" || act "drop database $name" drop_database "$name"
  done
  for role in $(of role); do
    for account in $(accounts_of "$role"); do
      case $engine in
        mysql) act "drop user $account" ask "DROP USER $account" ;;
        *) act "drop role $account" ask "DROP ROLE $account" ;;
      esac
    done
  done
}

drop_database() {  # NAME
  case $engine in
    mysql) ask "DROP DATABASE \`$1\`" ;;
    *) ask "DROP DATABASE \"$1\" WITH (FORCE)" ;;
  esac
}
