#!/bin/sh
# The certificate of PostgreSQL for other hosts: database_certificate.sh WHAT CA CERTIFICATE KEY ADDRESS [MARK]
# WHAT: check  print "good" if it is of the CA, for the address and the key, and valid for another year
#       make   make another, with a new key
set -eu
umask 077
what=$1 ca=$2 certificate=$3 key=$4 address=$5 mark=${6:-}

if [ "$what" = check ]; then
  openssl verify -purpose sslserver -CAfile "$ca" "$certificate" >/dev/null
  openssl x509 -in "$certificate" -noout -checkend 31536000 >/dev/null
  openssl x509 -in "$certificate" -noout -checkip "$address" | grep -q ' does match '
  [ "$(openssl x509 -in "$certificate" -noout -pubkey)" = "$(openssl pkey -in "$key" -pubout)" ]
  echo good
  exit
fi
install -d -m 755 "${certificate%/*}"
new=$(mktemp -d "${key%/*}/.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$new/key" 2>/dev/null
openssl req -new -key "$new/key" -subj "/CN=$address" -out "$new/request" \
  -addext "subjectAltName=IP:$address,IP:127.0.0.1,IP:::1,DNS:localhost" \
  -addext extendedKeyUsage=serverAuth -addext keyUsage=critical,digitalSignature
openssl x509 -req -in "$new/request" -CA "$ca" -CAkey "$ca" -set_serial "0x01$(openssl rand -hex 15)" -days 3650 \
  -copy_extensions copy -out "$new/cert" 2>/dev/null
chgrp postgres "$new/key"
chmod 640 "$new/key"
chmod 644 "$new/cert"
mkdir -p "${mark%/*}"
: > "$mark"
# both or none, also if the session ends
trap '' HUP INT TERM
mv -fT "$new/key" "$key"
mv -fT "$new/cert" "$certificate"
