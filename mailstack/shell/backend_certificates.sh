#!/bin/sh
# backend_certificates.sh CA DIRECTORY [LABEL ADDRESS]...
# Make certificates of the CA in the file CA for LABEL.mailstack.internal and ADDRESS (DIRECTORY/LABEL-key,
# DIRECTORY/LABEL-cert), unless these are valid.
set -eu
umask 077
ca=$1 directory=$2
shift 2
new=$(mktemp -d "${directory%/*}/backends.XXXXXX")
trap 'rm -rf "$new"' EXIT

is_valid() {  # LABEL: whether it is of the CA, belongs to its key, and is valid for another month
  openssl verify -CAfile "$ca" "$directory/$1-cert" >/dev/null 2>&1 &&
    openssl x509 -in "$directory/$1-cert" -noout -checkend 2592000 >/dev/null &&
    [ "$(openssl x509 -in "$directory/$1-cert" -noout -pubkey)" = \
      "$(openssl pkey -in "$directory/$1-key" -pubout 2>/dev/null)" ]
}

while [ $# -gt 0 ]; do
  label=$1 address=$2
  shift 2
  ! is_valid "$label" || continue
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$new/key" 2>/dev/null
  printf '%s\n' "subjectAltName=DNS:$label.mailstack.internal,IP:$address" basicConstraints=critical,CA:FALSE \
    keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth > "$new/extensions"
  # the name is too long for a common name, which may have 64 characters
  openssl req -new -key "$new/key" -subj "/CN=$label" 2>/dev/null |
    openssl x509 -req -CA "$ca" -CAkey "$ca" -sha256 -days 3650 \
      -set_serial "0x$(openssl rand -hex 16)" -extfile "$new/extensions" -out "$new/cert" 2>/dev/null
  # the key first, as a certificate without its key is made again
  mv -fT "$new/key" "$directory/$label-key"
  mv -fT "$new/cert" "$directory/$label-cert"
done
