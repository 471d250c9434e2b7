#!/bin/sh
# The state of a removal: mail, queue, keys, passwords; remove_begin.sh and remove_database.sh come before it.
# Nothing is deleted before the archive was compared with the files.
# shellcheck disable=SC2013,SC2154  # words end at newlines; remove_begin.sh sets the variables

state() {  # its lines in the plan; keys of a package that was here before are the host's own, if the settings do not use it
  of state
  for line in $(of state_of); do
    ! things | grep -qxF -e "package ${line%%"$tab"*}" || printf '%s\n' "${line#*"$tab"}"
  done
}

states() { state | cut -f 2; }  # its paths

queue() { state | sed -n "s/^queue$tab\([^$tab]*\).*/\1/p"; }

queued() {  # how many messages wait; mailstack-rescue has those that mailstack.queue.rescue was about to move
  for path in $(queue); do
    for root in "$path" "$path"/mailstack-rescue/*; do
      find "$root"/maildrop "$root"/incoming "$root"/active "$root"/deferred "$root"/hold -type f 2>/dev/null || :
    done
  done | wc -l
}

describe() {
  ! has_database || echo "database $database: $(users) users"
  for line in $(state); do
    kind=${line%%"$tab"*} path=$(printf '%s\n' "$line" | cut -f 2)
    case $kind in
      queue) echo "$path: queue, $(queued) messages" ;;
      *) [ ! -e "$path" ] || echo "$path: $kind, $(du -shD "$path" 2>/dev/null | cut -f 1)" ;;
    esac
  done
}

check() {  # refuse what would fail half-way, before anything is changed
  for name in restore upgrade; do
    ! runs "mailstack-$name" || refuse "mailstack.$name is at work: wait until it has ended"
  done
  case $choice in
    keep)
      if [ "$(queued)" -gt 0 ] && is_installed postfix; then
        refuse "mail waits in the queue: $(queued) messages; allowed: option data archive or delete, or wait: postqueue -p, \
or mailstack.queue.rescue, for what it has begun to move"
      fi ;;
    archive | delete)
      check_mounts
      check_server
      ! has_server || check_copies
      if has_database; then
        theirs=$(foreign)
        [ -z "$theirs" ] || refuse "the database $database has tables of others: $(printf '%s' "$theirs" | inline); \
allowed: option data keep, or move them first"
      fi ;;
  esac
  [ "$choice" != archive ] || check_place
}

check_mounts() {
  for path in $(states) $(of tree); do
    inside=$(at=$(realpath -m "$path")/ awk 'index($5, ENVIRON["at"]) == 1 { print $5; exit }' /proc/self/mountinfo)
    [ -z "$inside" ] || refuse "$inside is mounted in $path, which would be deleted: unmount it first; \
allowed meanwhile: option data keep"
  done
}

check_place() {  # the archive must outlive the removal
  to=$(realpath -m "$directory")/
  for path in $(states) /etc /usr /var/lib /var/cache /var/log /run /tmp /proc /sys /dev; do
    case $to in
      "$(realpath -m "$path")"/*) refuse "to = $directory: is in $path; allowed: a directory that stays, such as /var/backups" ;;
    esac
  done
  unsafe=$(changeable)
  [ -z "$unsafe" ] || refuse "to = $directory: other users can change what is there: $(printf '%s' "$unsafe" | inline); \
allowed: a directory that root alone can write, as all above it"
}

changeable() {  # directories on the way to the archive in which another user may make a link, also by an ACL
  namei -l "$directory" | awk '$1 ~ /^d/ && ($2 != "root" || $1 ~ /^.....w/ || $1 ~ /^........w/) { print $4, "(" $1, $2, $3 ")" }'
}

check_copies() {  # of several hosts in the group `db`
  ! is_standby || refuse "the database here is a copy of another host's, and can't be dropped; allowed: option data keep"
  copies=$(followers 2>/dev/null) || unanswered
  [ -z "$copies" ] || refuse "others have copies of the database, and would lose it too: \
$(printf '%s' "$copies" | inline); allowed: option data keep, or first a deploy without these hosts in the group db"
}

check_server() {  # `keep` removes the packages of the server, and nobody can ask it then what it has
  if [ "$database" ] && ! has_server && [ -n "$(find "$(data_directory)" -type f -print -quit 2>/dev/null)" ]; then
    # a run that was killed has dropped the database before it removed the server
    if is_begun && { [ "$choice" = delete ] || [ -s "$(head -n 1 "$begun")" ]; }; then return 0; fi
    refuse "the database server is not installed, and $(data_directory) has data: deploy first; allowed meanwhile: option data keep"
  fi
}

wish() {  # what a removal is of
  echo "$scope $database"
  states
}

begin_with() {  # ARCHIVE: leave a mark, for the next run if this one is killed
  { echo "$1"; wish; } > "$begun.new"
  mv -fT "$begun.new" "$begun"
  sync "$own" "$begun"
}

is_begun() { [ -s "$begun" ] && [ "$(tail -n +2 "$begun")" = "$(wish)" ]; }

members() {  # what is archived, as tar(1) in / takes it
  echo etc
  for path in "$own" $(states); do
    # mail may be on another disk: tar(1) archives a link itself, also with a slash behind it
    if [ -L "$path" ] && [ -d "$path" ]; then echo "${path#/}/."; elif [ -e "$path" ]; then echo "${path#/}"; fi
  done
}

archive() (  # the state, and all configuration; any failure ends the run, with the state as it was
  umask 077
  made=$directory/$(hostname)-$scope-$(date +%Y%m%d-%H%M%S).tar.gz
  trap 'rm -f "$made.new" "$own/database.sql"' EXIT
  mkdir -p "$directory"
  rm -f "$directory/$(hostname)-$scope"-*.tar.gz.new  # of a run that was killed
  ! has_database || dump > "$own/database.sql"
  # shellcheck disable=SC2046
  set -- $(members)
  cd /
  needed=$(du -skcD "$@" | tail -n 1 | cut -f 1) room=$(df -Pk "$directory" | awk 'NR == 2 { print $4 }')
  [ "$needed" -lt "$room" ] || refuse "no room for the archive in $directory: it may need $needed KiB, and there are \
$room; allowed: option to DIRECTORY"
  # sockets are not archived
  tar -czf "$made.new" --warning=no-file-ignored "$@"
  tar -dzf "$made.new" >&2
  sync "$made.new"
  mv -fT "$made.new" "$made"
  sync "$directory"
  begin_with "$made"
  tell "archive: $made"
)

is_archived() {  # by a removal of the same that was killed, and nothing has come since
  is_begun || return 1
  archive=$(head -n 1 "$begun")
  [ -s "$archive" ] && ! has_database || return 1
  for path in $(states); do
    [ -e "$path" ] || continue
    new=$(find -H "$path" ! -type d -cnewer "$archive" -print -quit) || return 1
    [ -z "$new" ] || return 1
  done
}

its() {  # OWNER PATH ARGUMENT...: find(1) what is in the state; of mail only what its system user owns
  owner=$1 path=$2
  shift 2
  if [ "$owner" ]; then
    id -u "$owner" >/dev/null 2>&1 || return 0
    set -- -user "$owner" "$@"
  fi
  if [ -d "$path" ]; then
    find "$path/" -xdev -mindepth 1 "$@"
  elif [ -e "$path" ] || [ -L "$path" ]; then
    find "$path" "$@"
  fi
}

wipe() {  # OWNER PATH; what others have in it stays, and what a package or a mount has at it
  its "$1" "$2" \( ! -type d -o -empty \) -delete
  if [ -d "$2" ] && [ ! -L "$2" ] && ! is_of_a_package "$2" && ! rmdir "$2" 2>/dev/null; then
    mountpoint -q "$2" || tell "$2 stays: others have files in it"
  fi
}

empty_queue() {
  postsuper -d ALL
  rm -rf "$(queue)"/mailstack-rescue
}

erase() {  # what is left of the state
  for line in $(state); do
    path=$(printf '%s\n' "$line" | cut -f 2) owner=$(printf '%s\n' "$line" | cut -f 3)
    case $path in
      /var/mail) continue ;;  # local users' mail, which may be older than mailstack
      "$(queue)")
        if is_installed postfix; then  # it is one of the host's own
          [ "$(queued)" -eq 0 ] || act 'delete the mail that waits' empty_queue
          continue
        fi ;;
    esac
    [ -z "$(its "$owner" "$path" -print -quit)" ] || act "delete $path" wipe "$owner" "$path"
  done
  erase_server
}

erase_server() {  # the data of a MariaDB that goes: a purge leaves them, with the redo log of all accounts
  path=$(data_directory)
  [ "$engine" = mysql ] && [ -d "$path" ] && things | grep -qx 'package mariadb-server' || return 0
  [ "$(both mariadb-server "$gone")" ] || ! has_server || return 0
  act "delete $path" wipe '' "$path"
}
