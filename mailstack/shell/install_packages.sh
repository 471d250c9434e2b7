#!/bin/sh
# Install Debian packages: install_packages.sh 'SERVICE:PACKAGE ...' NAME...
# The services come with these packages; those that were not installed before stay masked, until units.running
# unmasks what has our configuration: also if the run ends in between, or the host is started anew. policy-rc.d(8)
# would be there for everybody's packages, and stay if this is killed.
services=$1
shift

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

hold() {
  for each in $services; do
    is_installed "${each#*:}" && continue
    # deb-systemd-helper(1) of Debian 11 masked what was removed, and unmasks that when it is installed again
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
# dpkg does not wait for its lock, which an installation that outlived its run may hold
for _ in $(seq 300); do
  said=$(dpkg --configure -a 2>&1) && break
  case $said in *lock*) sleep 1 ;; *) echo "$said" >&2; exit 1 ;; esac
done
# the lists may be missing, or too old to name a version that the mirror has; their mtime is the mirror's
find /var/lib/apt/lists -name '*_Packages*' -cmin -1440 | grep -q . || update || exit 1
install "$@" || { update && install "$@"; }
