#!/bin/sh
# Ask MariaDB: ask_mariadb.sh CLIENT NO-DATABASE SECONDS [LABEL DATABASE SQL]...
# Each query has a session, which ends at an error. All wait together so many seconds for tables that others have
# locked: by default a session waits a day. 1049: no such database; 2002, 2003, 2013: no server, or it is stopping
command -v mariadb || exit 0
client=$1 no_database=$2 end=$(($(date +%s) + $3))
shift 3
while [ $# -gt 0 ]; do
  printf '\f%s\n' "$1"
  left=$((end - $(date +%s)))
  [ "$left" -ge 1 ] || left=1
  # shellcheck disable=SC2086
  if said=$($client "$2" -e "SET SESSION lock_wait_timeout = $left, SESSION innodb_lock_wait_timeout = $left; $3" 2>&1); then
    printf %s "$said"
  else
    case $said in
      *"ERROR 20"[01]*) ;;
      *"ERROR 1049 "*) echo "$no_database" ;;
      *) printf 'ERROR %s' "$said" ;;
    esac
  fi
  shift 3
done
