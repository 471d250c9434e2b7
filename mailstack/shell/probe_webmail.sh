#!/bin/sh
# Whether the web server at $1 has the login page of webmail, at the path $3 of the host $2.
# openssl speaks TLS; no client of HTTP need be installed. The certificate may be self-signed
said=$(printf 'GET %s/ HTTP/1.0\r\nHost: %s\r\n\r\n' "$3" "$2" |
  timeout 30 openssl s_client -quiet -connect "$1:443" -servername "$2" 2>/dev/null)
case $said in
  "HTTP/1.1 200 "*rcmloginuser*) ;;
  *) echo "no login page: ${said%%[[:cntrl:]]*}" >&2; exit 1 ;;
esac
