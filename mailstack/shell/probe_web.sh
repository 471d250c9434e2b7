#!/bin/sh
# Whether the web server at $1 has settings for mail programs in the name of the host $2.
# openssl speaks TLS; no client of HTTP need be installed. The certificate may be self-signed
said=$(printf 'GET /mail/config-v1.1.xml HTTP/1.0\r\nHost: %s\r\n\r\n' "$2" |
  timeout 15 openssl s_client -quiet -connect "$1:443" -servername "$2" 2>/dev/null)
case $said in
  "HTTP/1.1 200 "*"<clientConfig "*) ;;
  *) echo "no settings: ${said%%[[:cntrl:]]*}" >&2; exit 1 ;;
esac
