#!/bin/sh
# Whether the resolver at $1 answers, or with $2 = validates, whether it can prove what the name servers of the root say
# (AD, RFC 4035, 3.2.3). No client of the DNS need be installed: the question is the message of RFC 1035, 4, over TCP.
case $2 in
  answers) question='\0\33\0\0\1\40\0\1\0\0\0\0\0\0\11localhost\0\0\1\0\1' ;;  # which it knows by itself
  validates) question='\0\21\0\0\1\40\0\1\0\0\0\0\0\0\0\0\6\0\1' ;;  # the SOA record of the root
esac
# shellcheck disable=SC2016,SC2046
set -- $(timeout 15 bash -c 'exec 3<>"/dev/tcp/$0/53"; printf "$1" >&3; head -c 6 <&3 | od -An -tu1' "$1" "$question" 2>/dev/null) "$2"
[ $# = 7 ] || { echo "no answer" >&2; exit 1; }
# the sixth byte: AD (32) and the code of the answer
[ $(($6 & 15)) = 0 ] || { echo "answered with error $(($6 & 15)) of RFC 6895, 2.3" >&2; exit 1; }
[ "$7" = answers ] || [ $(($6 & 32)) = 32 ] || { echo "answered without a proof" >&2; exit 1; }
