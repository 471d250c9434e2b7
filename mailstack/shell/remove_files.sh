#!/bin/sh
# The files of a removal; remove_begin.sh and brought.sh come before it.
# shellcheck disable=SC2013,SC2154  # words end at newlines; remove_begin.sh sets the variables

is_ours() {  # PATH: deploys say so in each file, or in its path
  case $1 in *mailstack*) return 0 ;; esac
  [ -f "$1" ] && grep -q 'Written by mailstack' "$1"
}

kept() {  # PATH: whether something in it stays, or it is in what stays
  for each in $(of spared) $([ "$choice" != keep ] || { of state | cut -f 2; echo "$own/brought"; }); do
    case $1/ in "$each"/*) return 0 ;; esac
    case $each/ in "$1"/*) return 0 ;; esac
  done
  return 1
}

give_back() {  # PATH [INDEX]: what was there before a deploy, or nothing
  ! kept "$1" || return 0
  found=$own/found$1
  if [ -e "$found" ]; then
    if [ -e "$1" ] && ! is_ours "$1" && ! cmp -s "$found" "$1"; then
      tell "$1 is not mailstack's any more, and stays; what was there before is in $found"
      return 0
    fi
    act "give back $1" put_back "$1"
  elif { [ -e "$1" ] || [ -L "$1" ]; } && is_ours "$1"; then
    act "remove $1" rm -rf --one-file-system "$1"
  else
    return 0
  fi
  [ -z "${2:-}" ] || ! [ -e "$2" ] || act "remove $2" rm -f "$2"
}

put_back() {
  mkdir -p "${1%/*}"
  cp -p "$own/found$1" "$1.mailstack-new"
  mv -fT "$1.mailstack-new" "$1"
  rm -f "$own/found$1"
}

unblock() {  # PATH: mailstack's lines go, others stay; of a file that has no others nothing stays
  cp -p "$1" "$1.mailstack-new"
  sed '/^# BEGIN mailstack/,/^# END mailstack/d' "$1" > "$1.mailstack-new"
  mv -fT "$1.mailstack-new" "$1"
  if ! grep -q '[^[:space:]]' "$1" && ! is_of_a_package "$1"; then rm -f "$1"; fi
}

indexed() {  # KIND: the lines of these files, each as a path, a tab, and its index or nothing
  of "$1" | sed "/$tab/!s/\$/$tab/"
}

copies() {  # what deploys have replaced, also with other settings or by an earlier version
  [ "$scope" != all ] || find "$own/found" -type f ! -name '*.new' -printf "/%P$tab\n" 2>/dev/null || :
}

files() {
  for line in $({ indexed file; copies; } | sort -t "$tab" -k 1,1 -u); do
    give_back "${line%%"$tab"*}" "${line#*"$tab"}"
  done
  for path in $(of made); do
    if [ -f "$path" ] && [ ! -L "$path" ] && ! kept "$path"; then act "remove $path" rm -f "$path"; fi
  done
  for line in $(indexed shared); do
    path=${line%%"$tab"*} index=${line#*"$tab"}
    if grep -q '^# BEGIN mailstack' "$path" 2>/dev/null && grep -q '^# END mailstack' "$path"; then
      act "remove mailstack's lines from $path" unblock "$path"
    fi
    # `start` makes it again for a Postfix that stays
    if [ "$index" ] && [ -e "$index" ] && grep -qsF "  $index" "$own/indexes"; then
      act "remove $index" rm -f "$index"
    fi
  done
}

used() {  # DIRECTORY: whether a component that is off, but not removed, has files in it, such as a web server that runs on
  for each in $(of left); do
    case $each in "$1"/*) [ ! -e "$each" ] || return 0 ;; esac
  done
  return 1
}

made_by_services() {  # by name: a directory of somebody else may begin in the same way, such as one with backups
  for name in backup certbot export import_mail metrics reports tls-reports web webmail; do
    [ "$scope" = all ] || [ "$scope" = "$(echo "$name" | tr - _)" ] || continue
    printf "/var/%s/mailstack-$name\n" lib lib/private cache log
  done
}

sweep() {  # directories of mailstack, and what services have made
  {
    of tree
    made_by_services
    if [ "$scope" = all ]; then
      find /etc/systemd -name 'mailstack-*' -xtype l  # enabled, but gone
      find /var/lib/systemd -name 'stamp-mailstack-*'
      find "$own/" -mindepth 1 -maxdepth 1 ! -name brought ! -name lock ! -name removing ! -name found 2>/dev/null || :
    fi
  } | sort -u | while read -r path; do
    if { [ -e "$path" ] || [ -L "$path" ]; } && ! kept "$path" && ! used "$path"; then
      act "remove $path" rm -rf --one-file-system "$path"
    fi
  done
}

prune() {  # directories that a deploy has made, and in which nothing is left
  for path in $(things | sed -n 's/^directory //p' | sort -r); do
    ! of stays | grep -qxF -e "$path" || continue
    ! [ -d "$path" ] || [ -L "$path" ] || rmdir "$path" 2>/dev/null || :
  done
}
