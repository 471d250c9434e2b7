# Turns a target into the DNS of the tests' networks: Knot, which serves the root zone, signed, and in it all names there are.
# Two domains have zones of their own, without signatures: for bogus.example the root zone promises some.
# The root zone takes updates (RFC 2136) that are signed with the key of tests/support/dns.py.
# Run by images.py in a container of the target, as root. The zone is written by tests/support/dns.py.
set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get install -qy --no-install-recommends knot
rm /usr/sbin/policy-rc.d
cat > /etc/knot/knot.conf <<'CONF'
server:
    listen: [ 0.0.0.0@53, ::@53 ]
key:
  - id: tests
    algorithm: hmac-sha256
    secret: dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIG9jdGV0cyE=
acl:
  - id: updates
    key: tests
    action: [ update, transfer ]
policy:
  - id: tests
    algorithm: ecdsap256sha256
    single-type-signing: on
zone:
  - domain: .
    storage: /var/lib/knot
    file: root.zone
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    dnssec-signing: on
    dnssec-policy: tests
    acl: updates
  - domain: bogus.example
    file: /var/lib/knot/unsigned.zone
  - domain: unsigned.example
    file: /var/lib/knot/unsigned.zone
CONF
cat > /var/lib/knot/unsigned.zone <<'ZONE'
@ 1 SOA dns.example. root.example. 1 60 60 600 1
@ 1 NS dns.example.
@ 1 MX 10 peer.example.
ZONE
printf '. 60 SOA dns.example. root.example. 1 60 60 600 1\n. 60 NS dns.example.\n' > /var/lib/knot/root.zone
chown knot:knot /var/lib/knot/*.zone
