#!/bin/sh
# Give a host back: remove.sh MODE SCOPE CHOICE DIRECTORY < PLAN; brought.sh, psql.sh and `ends` come before it.
# MODE: `states` describes the state; `look` prints what `go` does, a line each, and nothing if nothing is left.
# SCOPE: the name of a component, or `all`. CHOICE: keep, archive or delete, for the state. DIRECTORY: for an archive.
# `ends` is a function that ends what a deploy without these components ends. PLAN: lines of KIND, a tab, VALUE, see
# mailstack/removal/plan.py. All that is done can be done again, so a run that is killed is completed by the next.
# shellcheck disable=SC2013,SC2086  # words end at newlines alone, and no path of a plan is a pattern
set -eu
mode=$1 scope=$2 choice=$3 directory=$4
plan=$(cat)
own=/var/lib/mailstack
begun=$own/removing
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
tab=$(printf '\t')
IFS='
'

of() { printf '%s\n' "$plan" | sed -n "s/^$1$tab//p"; }  # KIND: the values

act() {  # TITLE COMMAND...
  echo "$1"
  shift
  [ "$mode" != go ] || "$@"
}

tell() { echo "# $*"; }  # what is no change

status_of() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || :; }

is_installed() { [ "$(status_of "$1")" = installed ]; }

# The state

states() { of state | sed -n "s/^[a-z]*$tab//p"; }  # its paths

queued() {  # messages that wait
  of state | sed -n "s/^queue$tab//p" | while read -r queue; do
    find "$queue"/maildrop "$queue"/incoming "$queue"/active "$queue"/deferred "$queue"/hold -type f 2>/dev/null
  done | wc -l
}

database=$(of database)
engine=$(of engine) port=$(of port)

ask() {  # SQL, by the superuser
  cd /
  case $engine in
    mysql) mariadb --no-defaults --protocol=socket -NB -e "$1" ;;
    *) as_superuser "$port" -d "${2:-postgres}" -c "$1" ;;
  esac </dev/null
}

has_server() {
  case $engine in
    mysql) command -v mariadb >/dev/null && is_installed mariadb-server ;;
    postgresql) dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'postgresql-[0-9]*' 2>/dev/null |
      grep -qE '^installed postgresql-[0-9]+$' ;;
    *) false ;;
  esac
}

databases() {  # a server that does not answer may have the mail's, and others': nothing goes then
  case $engine in
    mysql) ask 'SHOW DATABASES' ;;
    *) ask 'SELECT datname FROM pg_database' ;;
  esac
}

has_database() { [ "$database" ] && has_server && databases 2>/dev/null | grep -qxF -e "$database"; }

others() {  # databases of others, and other clusters, which go with the packages of PostgreSQL
  case $engine in
    mysql) databases | grep -vxF -e information_schema -e mysql -e performance_schema -e sys -e "$database" ;;
    *)
      databases | grep -vxF -e postgres -e template0 -e template1 -e "$database"
      pg_lsclusters -h | awk -v port="$port" '$3 != port { print $1 "/" $2 }' ;;
  esac || :
}

answers() {  # fail if the database server is here, and can't be asked
  [ "$database" ] && has_server || return 0
  databases >/dev/null && return 0
  echo "the database server does not answer, so nothing is removed: start it first" >&2
  return 1
}

users_query='SELECT count(*) FROM mail_users'

describe() {
  if has_database; then
    case $engine in
      mysql) users=$(ask "SELECT count(*) FROM \`$database\`.mail_users" || :) ;;
      *) users=$(ask "$users_query" "$database" || :) ;;
    esac
    echo "database $database: ${users:-?} users"
  fi
  for line in $(of state); do
    path=${line#*"$tab"}
    case ${line%%"$tab"*} in
      database) ;;
      queue) echo "$path: queue, $(queued) messages" ;;
      *) [ ! -e "$path" ] || echo "$path: ${line%%"$tab"*}, $(du -shD "$path" 2>/dev/null | cut -f 1)" ;;
    esac
  done
}

dump() {
  cd /
  case $engine in
    mysql) mariadb-dump --single-transaction --routines --triggers --events "$database" ;;
    *) setpriv --reuid=postgres --regid=postgres --init-groups -- "$(latest pg_dump)" -w -p "$port" -d "$database" ;;
  esac </dev/null
}

archive() {  # an archive of the state, and of all configuration; it is compared with the files before anything is removed
  umask 077
  mkdir -p "$directory" || return 1
  set -- etc ${own#/}
  for path in $(states); do [ ! -e "$path" ] || set -- "$@" "${path#/}"; done
  if has_database; then
    dump > $own/database.sql || return 1
  fi
  cd /
  needed=$(du -skcD "$@" | tail -n 1 | cut -f 1) room=$(df -Pk "$directory" | awk 'NR == 2 { print $4 }')
  if [ "$needed" -ge "$room" ]; then
    echo "no room for the archive in $directory: it may need $needed KiB, and there are $room; allowed: to=DIRECTORY" >&2
    return 1
  fi
  # sockets are not archived
  tar -czf "$made.new" --warning=no-file-ignored "$@" && tar -dzf "$made.new" >&2 && mv -fT "$made.new" "$made" &&
    sync "$made" "$directory" && rm -f $own/database.sql && tell "archive: $made"
}

is_archived() {  # by a removal of the same that was killed, after which nothing has come
  [ -s $begun ] && [ -e "$(cat $begun)" ] && ! has_database || return 1
  case $(cat $begun) in */"$(hostname)-$scope-"*) ;; *) return 1 ;; esac
  for path in $(states); do
    [ ! -e "$path" ] || [ -z "$(find -H "$path" ! -type d -cnewer "$(cat $begun)" -print -quit 2>/dev/null)" ] || return 1
  done
}

wipe() {  # PATH: the state at it; what a package or a mount has there stays
  rm -f "$1" 2>/dev/null && return 0  # a file, or a link to a directory
  find "$1/" -xdev -mindepth 1 -delete
  dpkg-query -S "$1" >/dev/null 2>&1 || mountpoint -q "$1" || rmdir "$1"
}

erase() {  # the state that is left
  if is_installed postfix && [ "$(queued)" -gt 0 ]; then act "delete the mail that waits" postsuper -d ALL; fi
  for path in $(states); do
    case $path in
      /var/spool/postfix) ! is_installed postfix || continue ;;  # it is one of the host's own
      /var/mail) continue ;;  # local users' mail, which may be older than mailstack
    esac
    if [ -e "$path" ] && ! { [ -d "$path" ] && [ -z "$(find "$path/" -mindepth 1 -print -quit)" ]; }; then
      act "delete $path" wipe "$path"
    fi
  done
}

drop() {  # the database and its roles, on a server that stays
  has_server || return 0
  ! has_database || act "drop database $database" drop_database
  for role in $(of role); do
    case $engine in
      mysql)
        for account in $(ask "SELECT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.user WHERE user = '$role'"); do
          act "drop user $account" ask "DROP USER $account"
        done ;;
      *)
        [ -z "$(ask "SELECT 1 FROM pg_roles WHERE rolname = '$role'")" ] || act "drop role $role" drop_role "$role" ;;
    esac
  done
}

drop_database() {
  case $engine in
    mysql) ask "DROP DATABASE \`$database\`" ;;
    *) ask "DROP DATABASE \"$database\" WITH (FORCE)" ;;
  esac
}

drop_role() { ask "DROP ROLE \"$1\"" || tell "the role $1 stays: it owns something else"; }

# Units and files

is_on() {
  systemctl is-active --quiet "$1" && return 0
  case $(systemctl is-enabled "$1" 2>/dev/null) in enabled*) return 0 ;; *) return 1 ;; esac
}

end() {
  systemctl disable --quiet "$1" 2>/dev/null || :
  systemctl stop "$1"
}

is_ours() {
  case $1 in *mailstack*) return 0 ;; esac
  [ -f "$1" ] && grep -q 'Written by mailstack' "$1"
}

give_back() {  # PATH [INDEX]
  if kept "$1"; then
    return 0
  elif [ -e "$own/found$1" ]; then
    act "give back $1" put_back "$1"
  elif { [ -e "$1" ] || [ -L "$1" ]; } && is_ours "$1"; then
    act "remove $1" rm -rf "$1"
  else
    return 0
  fi
  [ -z "${2:-}" ] || act "remove $2" rm -f "$2"
}

put_back() {
  mkdir -p "${1%/*}"
  mv -fT "$own/found$1" "$1"
}

unblock() {  # PATH: mailstack's lines go, others stay; of a file that has no others nothing stays
  cp -p "$1" "$1.mailstack-new"
  sed '/^# BEGIN mailstack/,/^# END mailstack/d' "$1" > "$1.mailstack-new"
  mv -fT "$1.mailstack-new" "$1"
  if ! grep -q '[^[:space:]]' "$1" && ! dpkg-query -S "$1" >/dev/null 2>&1; then
    rm -f "$1"
  fi
}

files() {
  for line in $(of file); do
    index=
    case $line in *"$tab"*) index=${line#*"$tab"} ;; esac
    give_back "${line%%"$tab"*}" "$index"
  done
  for path in $(of made); do
    if [ -f "$path" ] && [ ! -L "$path" ] && ! kept "$path"; then act "remove $path" rm -f "$path"; fi
  done
  for line in $(of shared); do
    path=${line%%"$tab"*} index=
    case $line in *"$tab"*) index=${line#*"$tab"} ;; esac
    if grep -q '^# BEGIN mailstack' "$path" 2>/dev/null && grep -q '^# END mailstack' "$path"; then
      act "remove mailstack's lines from $path" unblock "$path"
    fi
    # `start` makes it again for a Postfix that stays
    if [ "$index" ] && [ -e "$index" ] && grep -qsF "  $index" $own/indexes; then
      act "remove $index" rm -f "$index"
    fi
  done
}

prune() {  # directories that a deploy has made, and in which nothing is left
  for path in $(things | sed -n 's/^directory //p' | sort -r); do
    ! of stays | grep -qxF -e "$path" || continue
    ! [ -d "$path" ] || [ -L "$path" ] || rmdir "$path" 2>/dev/null || :
  done
}

kept() {  # PATH: whether something in it stays, or it is in what stays
  for each in $(of spared) $([ "$choice" != keep ] || { states; echo $own/brought; }); do
    case $1/ in "$each"/*) return 0 ;; esac
    case $each/ in "$1"/*) return 0 ;; esac
  done
  return 1
}

sweep() {  # directories of mailstack, and what services have made
  {
    of tree
    if [ "$scope" = all ]; then
      find /etc/systemd -name 'mailstack-*' -xtype l  # enabled, but gone
      find /var/lib /var/lib/private -mindepth 1 -maxdepth 1 -name 'mailstack-*' 2>/dev/null
      find /var/lib/systemd -name 'stamp-mailstack-*'
      find $own -mindepth 1 -maxdepth 1 2>/dev/null | grep -v -e '/brought$' -e '/lock$' -e '/removing$'
    fi
  } | sort -u | while read -r path; do
    if { [ -e "$path" ] || [ -L "$path" ]; } && ! kept "$path"; then act "remove $path" rm -rf "$path"; fi
  done
}

# Packages

simulated() {  # ARGUMENT...: the packages that apt would remove
  apt-get -s -q -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false "$@" 2>/dev/null |
    sed -n 's/^\(Remv\|Purg\) \([^ ]*\).*/\2/p' | sorted
}

lines_of() { printf '%s\n' "$1" | grep . || :; }

without() { lines_of "$1" | grep -vxF -e "$2" || :; }  # LINES LINES

both() { lines_of "$1" | grep -xF -e "$2" || :; }

needed_by() {  # NAME...: they and all that they need
  apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "$@" | grep '^[a-z0-9]' || :
}

purged() {  # print the packages that go
  record=$(things | sed -n 's/^package //p')
  named=$record
  [ "$scope" = all ] || named=$(both "$(of package)" "$record")
  present=
  for name in $named; do
    case $(status_of "$name"),$choice in installed,* | config-files,archive | config-files,delete) present="$present$name
" ;; esac
  done
  named=$(lines_of "$present")
  [ "$named" ] || return 0
  theirs=$(without "$(simulated purge $named)" "$record")
  case $engine in mysql) server=mariadb-server ;; *) server=postgresql ;; esac
  if [ "$database" ] && [ "$(both "$named" "$server")" ] && has_server && [ "$(others)" ]; then
    theirs="$theirs
$server"
    tell "$server stays: it has databases of others: $(others | tr '\n' ' ')" >&2
  fi
  if [ "$(lines_of "$theirs")" ]; then
    stay=$(both "$named" "$(needed_by $theirs)")
    [ -z "$stay" ] || tell 'packages stay that others need:' $stay >&2
    named=$(without "$named" "$stay")
    [ "$named" ] || return 0
  fi
  # what was here before stays, also if nothing needs it now
  going=$(both "$(simulated --auto-remove purge $named)" "$record")
  [ "$going" ] || { echo "apt-get can't remove: $(lines_of "$named" | tr '\n' ' ')" >&2; return 1; }
  theirs=$(without "$(simulated purge $going)" "$record")
  [ -z "$theirs" ] || { echo "others need what would be removed: $(lines_of "$theirs" | tr '\n' ' ')" >&2; return 1; }
  printf '%s\n' "$going"
}

packages() {
  gone=$(purged)
  [ -z "$gone" ] || act "remove the packages $(lines_of "$gone" | tr '\n' ' ')" remove_packages
  if [ "$scope" = all ] && [ -e "$own/brought/replaced" ]; then
    back=
    for name in $(cat "$own/brought/replaced"); do is_installed "$name" || back="$back $name"; done
    [ -z "$back" ] || act "install$back, which was here before" bring_back
  fi
}

remove_packages() {
  verb=purge
  [ "$choice" != keep ] || verb=remove
  apt-get -q -y -o DPkg::Lock::Timeout=300 $verb $gone >&2
}

bring_back() {
  IFS=' '
  apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install $back >&2 || tell "could not be installed:$back"
  IFS='
'
}

accounts() {  # system users and groups; of Debian's packages too, as these leave them
  [ "$choice" != keep ] || return 0
  for kind in user group; do
    named=$(things | sed -n "s/^$kind //p")
    [ "$scope" = all ] || named=$(both "$(of user)" "$named")
    for name in $named; do
      case $kind in user) list=passwd ;; *) list=group ;; esac
      ! grep -q "^$name:" /etc/$list || act "remove $kind $name" remove_account $kind "$name"
    done
  done
}

remove_account() {
  "${1}del" "$2" 2>/dev/null || ! grep -q "^$2:" "/etc/$(case $1 in user) echo passwd ;; *) echo group ;; esac)" ||
    tell "$1 $2 stays: it has processes, or is the group of another user"
}

unmask() {
  [ "$scope" = all ] || return 0
  for name in $(things | sed -n 's/^mask //p'); do
    [ ! -L "/etc/systemd/system/$name" ] || act "unmask $name" rm -f "/etc/systemd/system/$name"
  done
}

start() {  # services of packages that stay, with Debian's configuration, or that of the administrator
  systemctl daemon-reload
  systemctl reset-failed 2>/dev/null || :
  # of a Postfix that stays without mailstack; else the next deploy would find another index than its own
  if [ "$scope" = all ] && [ -e /etc/aliases ] && command -v newaliases >/dev/null; then newaliases || :; fi
  for name in $(of service); do
    find /etc/systemd/system -path "*.wants/$name.service" -xtype l -delete  # of a package that is gone
    systemctl is-enabled --quiet "$name" 2>/dev/null || continue
    systemctl restart "$name" || tell "$name does not start: journalctl -u $name says why"
  done
}

stop() {  # what writes the state, but for the database
  for name in $(of service | grep -v -e '^postgresql' -e '^mariadb'); do systemctl stop "$name" 2>/dev/null || :; done
}

everything() {
  [ -e $own ] || return 0
  for unit in $(of unit); do ! is_on "$unit" || act "stop $unit" end "$unit"; done
  [ "$mode" != go ] || { systemctl stop 'mailstack-retry@*' || :; ends; }
  files
  sweep
  unmask
  [ "$mode" != go ] || { systemctl daemon-reload; prune; }  # or packages would leave their own directories
  packages
  [ "$choice" = keep ] || ! [ "$database" ] || drop
  [ "$choice" = keep ] || erase
  accounts
  ! goes_last || [ "$mode" = go ] || echo "remove $own"
}

goes_last() { [ "$scope" = all ] && [ "$choice" != keep ] && [ -e $own ]; }

case $mode in
  states) describe ;;
  look)
    if [ "$choice" = keep ] && [ "$(queued)" -gt 0 ] && is_installed postfix; then
      echo "mail waits in the queue: $(queued) messages; allowed: data=archive, data=delete, or wait: postqueue -p" >&2
      exit 1
    fi
    answers
    shown=$(everything)
    [ "$shown" ] || exit 0
    [ "$choice" != archive ] || is_archived || echo "archive the state, and /etc, in $directory"
    printf '%s\n' "$shown" ;;
  go)
    mkdir -p $own
    exec 9> $own/lock
    flock -w 5 9 || { echo 'another run is at work on this host: try again after it' >&2; exit 1; }
    answers
    note
    stop
    made=$directory/$(hostname)-$scope-$(date +%Y%m%d-%H%M%S).tar.gz
    if [ "$choice" = archive ] && ! is_archived; then
      archive || { rm -f "$made.new" $own/database.sql; start; exit 1; }
      echo "$made" > $begun
    fi
    everything
    prune
    start
    if goes_last; then rm -rf $own; else rm -f $begun; fi ;;
esac
