#!/bin/sh
# Install Debian packages: install_packages.sh 'SERVICE:PACKAGE ...' NAME...
# Services of newly installed packages stay masked until units.running unmasks them with mailstack's configuration,
# also if the run ends in between or the host reboots. policy-rc.d(8) would affect all packages, and stay if this is
# killed.
services=$1
shift

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

hold() {
  for each in $services; do
    is_installed "${each#*:}" && continue
    # deb-systemd-helper(1) of Debian 11 masked removed services, and unmasks them at the next installation
    rm -f "/var/lib/systemd/deb-systemd-helper-masked/${each%:*}.service"
    systemctl mask --quiet "${each%:*}.service" 2>/dev/null
  done
}

release() {  # what was not installed after all
  for each in $services; do
    is_installed "${each#*:}" || systemctl unmask --quiet "${each%:*}.service"
  done
}

wait_for_lock='-o DPkg::Lock::Timeout=300'

install() {
  # shellcheck disable=SC2086
  apt-get $wait_for_lock -y --no-install-recommends -o Dpkg::Options::=--force-confold install "$@"
}

update() {
  # shellcheck disable=SC2086
  apt-get $wait_for_lock update
}

trap release EXIT
hold
export DEBIAN_FRONTEND=noninteractive
# dpkg does not wait for its lock, which the installation of an interrupted run may hold
for _ in $(seq 300); do
  said=$(dpkg --configure -a 2>&1) && break
  case $said in *lock*) sleep 1 ;; *) echo "$said" >&2; exit 1 ;; esac
done
# the lists may be missing, or too old for the mirror's versions; their mtime is the mirror's
find /var/lib/apt/lists -name '*_Packages*' -cmin -1440 | grep -q . || update || exit 1
install "$@" || { update && install "$@"; }
