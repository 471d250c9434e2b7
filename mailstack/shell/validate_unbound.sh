#!/bin/sh
# Whether unbound can run with the configuration staged in $stage, together with what an administrator added.
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
cp -a /etc/unbound/. "$new"
cp -a "${stage:?}/etc/unbound/." "$new"
sed -i "s:/etc/unbound/unbound\.conf\.d:$new/unbound.conf.d:" "$new/unbound.conf"
# the service copies it at its first start
[ -e /var/lib/unbound/root.key ] || sed -i 's:/var/lib/unbound/root.key:/usr/share/dns/root.key:' "$new"/unbound.conf.d/*.conf
unbound-checkconf "$new/unbound.conf" >/dev/null
