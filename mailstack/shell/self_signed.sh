#!/bin/sh
# Make a self-signed certificate, valid for ten years: self_signed.sh HOSTNAME CERTIFICATE KEY MARK...
# Python 3.13 and others accept a certificate as its own authority only with keyUsage
set -eu
umask 077
hostname=$1 certificate=$2 key=$3
shift 3
mkdir -p /var/lib/mailstack
install -d -m 755 "${certificate%/*}" "${key%/*}"
new=$(mktemp -d /var/lib/mailstack/certificate.XXXXXX)
trap 'rm -rf "$new"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -sha256 -days 3650 \
  -subj "/CN=$hostname" -addext "subjectAltName=DNS:$hostname" \
  -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
  -addext keyUsage=critical,digitalSignature,keyCertSign -addext extendedKeyUsage=serverAuth \
  -keyout "$new/key" -out "$new/cert" 2>/dev/null
chmod 644 "$new/cert"
for mark in "$@"; do
  mkdir -p "${mark%/*}"
  : > "$mark"
done
mv -fT "$new/key" "$key"
mv -fT "$new/cert" "$certificate"
