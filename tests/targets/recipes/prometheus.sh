# Turns a target into a host with Prometheus, and promtool. Its configuration is written by tests/support/prometheus.py.
# Run by images.py in a container of the target, as root.
set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get install -qy --no-install-recommends prometheus
rm /usr/sbin/policy-rc.d
systemctl disable prometheus
rm -rf /usr/share/doc/* /usr/share/man/*
apt-get clean
