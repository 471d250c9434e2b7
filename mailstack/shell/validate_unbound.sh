#!/bin/sh
# Whether unbound can run with the configuration staged in $stage, together with what an administrator added, and reads
# mailstack's file. Without $stage: whether the unbound of this host, if it has one, will.
command -v unbound-checkconf >/dev/null || [ "$stage" ] || exit 0
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
cp -a /etc/unbound/. "$new"
if [ "$stage" ]; then cp -a "$stage/etc/unbound/." "$new"; else mkdir -p "$new/unbound.conf.d"; fi
ours=$new/unbound.conf.d/mailstack.conf
# an address of which nobody thinks, to see whether the file is read
[ "$stage" ] || printf 'server:\n    interface: 127.0.0.1\n' >"$ours"
printf 'server:\n    interface: 127.255.53.53\n' >>"$ours"
find "$new" -type f -name '*.conf' -exec sed -i -E "s:([\" \t])(/etc/unbound/)?unbound\.conf\.d:\1$new/unbound.conf.d:" {} +
# the service copies it at its first start
[ -e /var/lib/unbound/root.key ] || sed -i 's:/var/lib/unbound/root.key:/usr/share/dns/root.key:' "$new"/unbound.conf.d/*.conf
unbound-checkconf "$new/unbound.conf" >/dev/null || exit 1
says() {
  unbound-checkconf -o "$1" "$new/unbound.conf" 2>/dev/null | grep -qx "$2"
}
says interface 127.255.53.53 || {
  echo 'unbound reads no file of /etc/unbound/unbound.conf.d: in unbound.conf is no include-toplevel: "/etc/unbound/unbound.conf.d/*.conf"' >&2
  exit 1
}
if ! { says port 53 && says do-ip4 yes && says do-udp yes && says do-tcp yes; }; then
  echo "unbound would not answer at port 53 of 127.0.0.1: one of port, do-ip4, do-udp and do-tcp is not the default" >&2
  exit 1
fi
