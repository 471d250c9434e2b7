#!/bin/sh
# What all parts of a removal use: remove_begin.sh MODE SCOPE CHOICE DIRECTORY < PLAN; the parts come after it.
# MODE: `describe` prints the state; `look` prints what `go` does, a line each, and nothing if nothing is left.
# SCOPE: the name of a component, or `all`. CHOICE: keep, archive or delete, for the state. DIRECTORY: for an archive.
# PLAN: lines of KIND, a tab, VALUE, see mailstack/removal/plan.py.
# shellcheck disable=SC2034  # the parts use these
set -eu
mode=$1 scope=$2 choice=$3 directory=$4
plan=$(cat)
own=${MAILSTACK_ROOT:-}/var/lib/mailstack
begun=$own/removing
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
tab=$(printf '\t')
# words end at newlines alone, and no path of a plan is a pattern
IFS='
'

of() { printf '%s\n' "$plan" | sed -n "s/^$1$tab//p"; }  # KIND: the values

act() {  # TITLE COMMAND...
  echo "$1"
  [ "$mode" = go ] || return 0
  doing "$1"
  shift
  "$@"
}

doing() { echo "$1" > "${MAILSTACK_ROOT:-}/run/mailstack-remove"; }  # for the one who waits

tell() { echo "# $1" >&2; }  # what is no change

refuse() {
  echo "$1" >&2
  exit 1
}

inline() { tr '\n' ' ' | sed 's/ *$//'; }

status_of() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || :; }

is_installed() { [ "$(status_of "$1")" = installed ]; }

is_of_a_package() { dpkg-query -S "$1" >/dev/null 2>&1; }
