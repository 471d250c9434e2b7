#!/bin/sh
# Put files in place: apply.sh < ARCHIVE; brought.sh, keep.sh and enter.sh come before it.
# The archive is a tar in base64 of
#   tree/     the files, with owners and modes
#   check     shell that sees $stage, the root of the staged files, and fails if they are no good; it may `mark`
#   manifest  what to do after that, a line each: verb, path, owner, group, mode, index; `-` is none
#
# Everything is staged and checked where only root can look, then marked, then renamed into place, an index before
# its source or after it, with none in between. Wherever this ends early, the next run finds a difference or a mark.
set -eu
umask 077
root=${MAILSTACK_ROOT:-} state=${MAILSTACK_ROOT:-}/var/lib/mailstack
archive=$(cat)  # all of it before the lock is taken, which must not wait for a connection that may be lost

mkdir -p "$state"
rm -f "$state"/*.indexes  # of earlier versions
exec 9> "$state/lock"
# a run that waited here has read the host as it was before the other run
flock -w 5 9 || { echo 'another run is at work on this host: try again after it' >&2; exit 1; }
note  # what a killed installation has brought

kit=$state/stage/kit stage=$state/stage/kit/tree
rm -rf "$state/stage"
trap 'rm -rf "$kit"' EXIT
mkdir -p "$stage"
printf %s "$archive" | base64 -d | tar -x -m -p -C "$kit"
unknown=$(find "$stage" -type f \( -nouser -o -nogroup \))
[ -z "$unknown" ] || { echo "their owner or group is not on this host: $unknown" >&2; exit 1; }
# each program of Postfix waits until its main.cf is two seconds old, in case it is still being written
[ ! -d "$stage/etc/postfix" ] || find "$stage/etc/postfix" -type f -exec touch -d '3 seconds ago' {} +

mark() {  # NAME, such as postfix.reload
  mkdir -p "$state/pending"
  : > "$state/pending/$1"
}

attributes() {  # PATH OWNER GROUP MODE; chown(1) takes away what chmod(1) may have given
  chown "$2:$3" "$1"
  chmod "00$4" "$1"  # with five digits or more, it also takes away the set-group-ID bit that a directory inherits
}

directories() {  # PATH: make those above it; `mkdir -p -m` gives its mode to the last one only
  [ -d "${1%/*}/" ] || { directories "${1%/*}"; mkdir -m 755 "${1%/*}"; bring directory "${1%/*}"; }
}

make_directory() {  # PATH: for root alone
  [ -d "$1/" ] || { directories "$1"; bring directory "$1"; mkdir -m 700 "$1"; }
}

install_file() {  # PATH: copy it beside its destination, and rename
  directories "$root$1"
  cp -p "$stage$1" "$root$1.mailstack-new"
  mv -fT "$root$1.mailstack-new" "$root$1"
}

record() {  # PATH INDEX: the checksums of both, as the index was built
  touch "$state/indexes"
  path=$1 index=$2 awk '(file = substr($0, 67)) != ENVIRON["path"] && file != ENVIRON["index"]' \
    "$state/indexes" > "$state/indexes.new"
  (cd "$root/" && sha256sum "${1#/}" "${2#/}") | sed 's|  |  /|' >> "$state/indexes.new"
  mv -f "$state/indexes.new" "$state/indexes"
}

compile() {  # SCRIPT BINARY: IMAP's scripts may do more than dovecot.conf allows others
  if grep -q '"imapsieve"' "$1"; then
    set -- -P sieve_imapsieve -P sieve_extprograms -x '+imapsieve +vnd.dovecot.pipe' "$1" "$2"
  fi
  sievec -c /etc/dovecot/dovecot.conf "$@"
}

do_line() {  # VERB PATH OWNER GROUP MODE INDEX
  case $1 in
    mark) mark "$2" ;;
    keep) keep "$2" ;;
    place) make_directory "$root$2" ;;
    directory)
      make_directory "$root$2"
      (enter "$root$2"; attributes . "$3" "$4" "$5") ;;
    attributes) attributes "$root$2" "$3" "$4" "$5" ;;
    remove) rm -rf "$root$2" ;;
    install) install_file "$2" ;;
    postmap | postalias)
      "$1" "$stage$2"
      attributes "$stage$6" "$3" "$4" "$5"
      install_file "$6"
      install_file "$2"
      record "$2" "$6" ;;
    sievec)
      # the binary names its source and serves for no other, so it can only be made where that lies; and
      # without -c a Dovecot that runs would say how it is configured, which it was before this change
      rm -f "$root$6"
      install_file "$2"
      compile "$root$2" "$root$6.mailstack-new"
      attributes "$root$6.mailstack-new" "$3" "$4" "$5"
      mv -fT "$root$6.mailstack-new" "$root$6"
      record "$2" "$6" ;;
    *) echo "apply.sh: no such verb: $1" >&2; exit 2 ;;
  esac
}

# shellcheck source=/dev/null
(. "$kit/check")

tab=$(printf '\t')
while IFS=$tab read -r verb path owner group mode index <&3; do
  do_line "$verb" "$path" "$owner" "$group" "$mode" "$index"
done 3< "$kit/manifest"
