#!/bin/sh
# Whether each host answers on port 993 with a certificate for its name: probe_backends.sh CA [NAME ADDRESS]...
authority=$1
shift
while [ $# -gt 0 ]; do
  case $2 in
    *:*) address="[$2]" ;;
    *) address=$2 ;;
  esac
  said=$(timeout 10 openssl s_client -connect "$address:993" -servername "$1" -verify_hostname "$1" \
    -verify_return_error -CAfile "$authority" -brief </dev/null 2>&1) ||
    { echo "$2: $(printf '%s' "$said" | head -n 1)" >&2; exit 1; }
  shift 2
done
