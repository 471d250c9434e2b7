#!/bin/sh
# A certificate of a CA of the server's own, for NAME and ADDRESS:
# own_certificate.sh WHAT CA CERTIFICATE KEY NAME ADDRESS [MORE GROUP MARK]
# WHAT: check  print "good" if it is of the CA, for both, for the key, and valid now and for another year
#       make   make another, with a new key
# MORE: further names in it, such as IP:::1; GROUP: may read the key; MARK: a file that is left before it is in use
set -eu
umask 077
what=$1 ca=$2 certificate=$3 key=$4 name=$5 address=$6 more=${7:-} group=${8:-} mark=${9:-}

verify() {  # CERTIFICATE: whether other hosts accept it
  openssl verify -purpose sslserver -verify_hostname "$name" -verify_ip "$address" \
    -no-CApath -no-CAstore -CAfile "$ca" "$1" >/dev/null
}

if [ "$what" = check ]; then
  verify "$certificate"
  openssl x509 -in "$certificate" -noout -checkend 31536000 >/dev/null
  [ "$(openssl x509 -in "$certificate" -noout -pubkey)" = "$(openssl pkey -in "$key" -pubout)" ]
  echo good
  exit
fi
[ -d "${certificate%/*}" ] || install -d -m 755 "${certificate%/*}"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$key.new" 2>/dev/null
openssl req -new -key "$key.new" -subj "/CN=$address" -addext "subjectAltName=DNS:$name,IP:$address${more:+,$more}" \
  -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
  -addext keyUsage=critical,digitalSignature -out "$certificate.request"
openssl x509 -req -in "$certificate.request" -CA "$ca" -CAkey "$ca" -sha256 -set_serial "0x01$(openssl rand -hex 15)" \
  -days 3650 -copy_extensions copy -out "$certificate.new"
rm "$certificate.request"
verify "$certificate.new" || {
  echo "no host would accept it: is the clock right, or was it ahead when the CA was made? If so, remove $ca" >&2
  exit 1
}
if [ "$group" ]; then
  chgrp "$group" "$key.new"
  chmod 640 "$key.new"
  chmod 644 "$certificate.new"
fi
if [ "$mark" ]; then
  mkdir -p "${mark%/*}"
  : > "$mark"
fi
# both or none, also if the session ends
trap '' HUP INT TERM
mv -fT "$key.new" "$key"
mv -fT "$certificate.new" "$certificate"
