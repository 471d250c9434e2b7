#!/bin/sh
# Whether nginx can run with the configuration staged in $stage, together with the sites of an administrator.
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
cp -a /etc/nginx/. "$new"
cp -a "${stage:?}/etc/nginx/." "$new"
# of the files outside, only the certificate may not be in place yet
certificates=/etc/ssl/mailstack/
[ ! -e "$stage${certificates}cert.pem" ] || certificates=$stage$certificates
find "$new" -type f -name '*.conf' -exec sed -i -E \
  -e "s:/etc/nginx/:$new/:g" -e "s:/etc/ssl/mailstack/(cert|key):$certificates\1:" \
  -e "s:^([[:space:]]*pid[[:space:]]+)[^;]*;:\1$new/pid;:" {} +
said=$(nginx -t -q -c "$new/nginx.conf" 2>&1) || { printf '%s\n' "$said" | sed "s:$new/:/etc/nginx/:g" >&2; exit 1; }
# mailstack's file may be in a directory that a changed nginx.conf does not include
nginx -T -q -c "$new/nginx.conf" 2>/dev/null | grep -qF "# configuration file $new/conf.d/mailstack.conf:" || {
  echo 'nginx reads no file of /etc/nginx/conf.d: in nginx.conf is no "include /etc/nginx/conf.d/*.conf;" within http { }' >&2
  exit 1
}
