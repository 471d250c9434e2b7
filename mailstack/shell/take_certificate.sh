#!/bin/sh
# take_certificate.sh SOURCE SOURCE-KEY CERTIFICATE KEY MARK...: copy a certificate and its key, if they belong
# together. The program that keeps them may be about to write the other one: so some tries.
set -eu
umask 077
source=$1 source_key=$2 certificate=$3 key=$4
shift 4
install -d -m 755 "${certificate%/*}"
new=$(mktemp -d "${certificate%/*}/.new.XXXXXX")
trap 'rm -rf "$new"' EXIT

belong_together() {
  public=$(openssl x509 -in "$new/cert" -noout -pubkey) && [ -n "$public" ] &&
    [ "$public" = "$(openssl pkey -in "$new/key" -passin pass: -pubout)" ]
}

tries=10
until cat "$source" > "$new/cert" && cat "$source_key" > "$new/key" && belong_together 2>/dev/null; do
  tries=$((tries - 1))
  if [ "$tries" = 0 ]; then
    echo "$source_key is not the key of the certificate in $source; the old ones stay" >&2
    exit 1
  fi
  sleep 1
done
if cmp -s "$new/key" "$key" && cmp -s "$new/cert" "$certificate"; then
  exit 0
fi
chmod 644 "$new/cert"
for mark in "$@"; do
  mkdir -p "${mark%/*}"
  : > "$mark"
done
# both or none, also if the session ends
trap '' HUP INT TERM
mv -fT "$new/key" "$key"
mv -fT "$new/cert" "$certificate"
