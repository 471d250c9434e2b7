#!/bin/sh
# as_superuser PORT ARGUMENT...: psql as the user postgres, through the socket.
# It runs the program itself: Debian's psql is a Perl script around it that takes longer than a query. setpriv opens no
# session of PAM. terse: a DETAIL would show the row that breaks a rule, with its hash. A server that a signal has
# stopped never answers.
as_superuser() {
  port=$1
  shift
  PGCONNECT_TIMEOUT=10 setpriv --reuid=postgres --regid=postgres --init-groups -- \
    "$(latest psql)" -XqAtw -p "$port" -v VERBOSITY=terse "$@"
}

latest() {  # PROGRAM
  # shellcheck disable=SC2012
  ls -v /usr/lib/postgresql/*/bin/"$1" | tail -n 1
}
