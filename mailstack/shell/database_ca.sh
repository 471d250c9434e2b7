#!/bin/sh
# Make the CA of the hosts with the database: database_ca.sh FILE. Key and certificate are one file, so there is never
# one without the other.
set -eu
umask 077
mkdir -p "${1%/*}"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1.new" 2>/dev/null
openssl req -x509 -key "$1.new" -sha256 -days 7300 -subj '/CN=mailstack database' \
  -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign \
  -out "$1.certificate" 2>/dev/null
cat "$1.certificate" >> "$1.new"
rm "$1.certificate"
mv -fT "$1.new" "$1"
