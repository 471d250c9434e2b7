#!/bin/sh
# Whether a certificate belongs to a key: probe_certificate.sh CERTIFICATE KEY
of_certificate=$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null) || { echo "no certificate in $1" >&2; exit 1; }
of_key=$(openssl pkey -in "$2" -pubout 2>/dev/null) || { echo "no key in $2" >&2; exit 1; }
[ "$of_certificate" = "$of_key" ] || { echo "$2 is the key of another certificate than $1" >&2; exit 1; }
