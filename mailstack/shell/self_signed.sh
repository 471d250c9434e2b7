#!/bin/sh
# self_signed.sh WHAT KIND HOSTNAME CERTIFICATE KEY NEXT MARK...
# WHAT: certificate  make a self-signed certificate, valid for ten years, for the key that is there
#       roll         make one for the next key
#       next         make the next key only
# KIND: ecdsa or rsa, of new keys
# A key that is there stays, and the next key is kept until it is used: both may be in the DNS (DANE).
set -eu
umask 077
what=$1 kind=$2 hostname=$3 certificate=$4 key=$5 next=$6
shift 6
mkdir -p /var/lib/mailstack
install -d -m 755 "${certificate%/*}" "${key%/*}"
new=$(mktemp -d /var/lib/mailstack/certificate.XXXXXX)
trap 'rm -rf "$new"' EXIT

usable() {  # KEY: whether it is of a kind that every client knows
  openssl pkey -in "$1" -noout -text 2>/dev/null |
    grep -Eq 'prime256v1|secp384r1|\((2048|3072|4096) bit, 2 primes\)'
}

public() {
  openssl pkey -in "$1" -pubout 2>/dev/null
}

make_key() {
  case $kind in
    rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$1" 2>/dev/null ;;
    *) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1" 2>/dev/null ;;
  esac
}

make_certificate() {
  # Python 3.13 and others accept a certificate as its own authority only with keyUsage
  openssl req -x509 -key "$new/key" -sha256 -days 3650 -subj "/CN=$hostname" \
    -addext "subjectAltName=DNS:$hostname" -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
    -addext keyUsage=critical,digitalSignature,keyCertSign -addext extendedKeyUsage=serverAuth \
    -out "$new/cert" 2>/dev/null
  chmod 644 "$new/cert"
  for mark in "$@"; do
    mkdir -p "${mark%/*}"
    : > "$mark"
  done
  # both or none, also if the session ends
  trap '' HUP INT TERM
  mv -fT "$new/key" "$key"
  mv -fT "$new/cert" "$certificate"
}

case $what in
  certificate)
    if usable "$key"; then
      cp "$key" "$new/key"
    elif usable "$next"; then
      cp "$next" "$new/key"
    else
      make_key "$new/key"
    fi
    make_certificate "$@" ;;
  roll)
    usable "$next"
    cp "$next" "$new/key"
    make_certificate "$@" ;;
esac
if ! usable "$next" || [ "$(public "$next")" = "$(public "$key")" ]; then
  make_key "$new/next"
  mv -fT "$new/next" "$next"
fi
