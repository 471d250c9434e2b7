#!/bin/sh
# Make a CA for the hosts of a server: own_ca.sh FILE NAME. Key and certificate are one file, so there is never one
# without the other.
set -eu
umask 077
mkdir -p "${1%/*}"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1.new" 2>/dev/null
openssl req -x509 -key "$1.new" -sha256 -days 10950 -subj "/CN=mailstack $2" \
  -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign \
  -out "$1.certificate" 2>/dev/null
cat "$1.certificate" >> "$1.new"
rm "$1.certificate"
mv -fT "$1.new" "$1"
