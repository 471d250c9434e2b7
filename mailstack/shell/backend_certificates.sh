#!/bin/sh
# backend_certificates.sh CA DIRECTORY [LABEL ADDRESS]...
# Make the CA of the hosts with mailboxes (DIRECTORY/CA-key, DIRECTORY/CA-cert) unless there is one that lasts, and
# certificates of it for LABEL.mailstack.internal and ADDRESS (DIRECTORY/LABEL-key, DIRECTORY/LABEL-cert), unless these
# are valid.
set -eu
umask 077
ca=$1 directory=$2
shift 2
mkdir -p "$directory"
new=$(mktemp -d "${directory%/*}/backends.XXXXXX")
trap 'rm -rf "$new"' EXIT

make_key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1" 2>/dev/null
}

place() {  # NAME: the key first, as a certificate without its key is made again
  mv -fT "$new/$1-key" "$directory/$1-key"
  mv -fT "$new/$1-cert" "$directory/$1-cert"
}

lasts() {  # NAME SECONDS: whether the certificate belongs to its key, and is valid for so long
  openssl x509 -in "$directory/$1-cert" -noout -checkend "$2" >/dev/null 2>&1 &&
    [ "$(openssl x509 -in "$directory/$1-cert" -noout -pubkey)" = \
      "$(openssl pkey -in "$directory/$1-key" -pubout 2>/dev/null)" ]
}

# ten years, for which its certificates are valid
if ! lasts "$ca" 315360000; then
  make_key "$new/$ca-key"
  openssl req -x509 -key "$new/$ca-key" -sha256 -days 10950 -subj "/CN=$ca" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign \
    -out "$new/$ca-cert" 2>/dev/null
  place "$ca"
fi
while [ $# -gt 0 ]; do
  label=$1 address=$2
  shift 2
  if lasts "$label" 2592000 &&
    openssl verify -CAfile "$directory/$ca-cert" "$directory/$label-cert" >/dev/null 2>&1; then
    continue
  fi
  name=$label.mailstack.internal
  make_key "$new/$label-key"
  printf '%s\n' "subjectAltName=DNS:$name,IP:$address" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
    extendedKeyUsage=serverAuth > "$new/extensions"
  # the name is too long for a common name, which may have 64 characters
  openssl req -new -key "$new/$label-key" -subj "/CN=$label" 2>/dev/null |
    openssl x509 -req -CA "$directory/$ca-cert" -CAkey "$directory/$ca-key" -sha256 -days 3650 \
      -set_serial "0x$(openssl rand -hex 16)" -extfile "$new/extensions" -out "$new/$label-cert" 2>/dev/null
  place "$label"
done
