#!/bin/sh
# Whether clamd answers on the socket $1; perl is on each Debian. It does not before it has signatures
# shellcheck disable=SC2016
answer=$(timeout 60 perl -MIO::Socket::UNIX -e '
  my $clamd = IO::Socket::UNIX->new($ARGV[0]) or exit 1;
  print $clamd "nPING\n";
  print scalar <$clamd>;
' "$1")
[ "$answer" = PONG ] || { echo "no answer on $1" >&2; exit 1; }
