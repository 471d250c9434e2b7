# Turns a target into the CA of the tests: Pebble, which validates names for real, and asks the DNS of the tests.
# Run by images.py in a container of the target, as root. tests/support/ca.py says which DNS server, and starts it.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get install -qy --no-install-recommends pebble openssl
mkdir -p /etc/pebble
cd /etc/pebble
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650 -subj '/CN=CA of the tests' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650 -subj '/CN=ca.example' \
  -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature \
  -addext extendedKeyUsage=serverAuth -addext subjectAltName=DNS:ca.example \
  -CA ca.pem -CAkey ca.key -keyout key.pem -out cert.pem
cat > pebble.json <<'JSON'
{
  "pebble": {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/etc/pebble/cert.pem",
    "privateKey": "/etc/pebble/key.pem",
    "httpPort": 80,
    "tlsPort": 443,
    "certificateValidityPeriod": 7776000
  }
}
JSON
cat > /etc/systemd/system/pebble.service <<'UNIT'
[Service]
EnvironmentFile=/etc/pebble/environment
Environment=PEBBLE_VA_NOSLEEP=1
ExecStart=/usr/bin/pebble -config /etc/pebble/pebble.json -dnsserver ${DNS}
UNIT
