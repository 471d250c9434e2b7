# Turns a Debian base into a target: a bare host with systemd, sshd and sudo, and nothing of a mail server.
# Run by images.py in a container of the base, as root. /etc/apt/apt.conf.d/80mailstack-target is already there.
set -eu
export DEBIAN_FRONTEND=noninteractive

# Docker's own Debian images forget packages after each installation; we keep them, see below.
rm -f /etc/apt/apt.conf.d/docker-*
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/mailstack-target
# nothing is to start while the image is made; a target is a plain host again at the end
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

apt-get update -q
apt-get install -qy --no-install-recommends \
    ca-certificates dbus iproute2 openssh-server procps sudo systemd systemd-sysv

# Downloaded packages are shared between targets in a volume on /var/cache/debs: offered to apt as links before
# a container's services start, and added after each installation.
mkdir -p /var/cache/debs
cat > /etc/apt/apt.conf.d/81mailstack-debs <<'APT'
APT::Keep-Downloaded-Packages "true";
DPkg::Post-Invoke { "find /var/cache/apt/archives -maxdepth 1 -type f -name '*.deb' -exec cp -n -t /var/cache/debs {} + || true"; };
APT
cat > /etc/tmpfiles.d/mailstack-debs.conf <<'TMPFILES'
d /var/cache/apt/archives 0755 root root -
TMPFILES
cat > /etc/systemd/system/mailstack-debs.service <<'UNIT'
[Unit]
Description=Offer the packages that other targets downloaded
[Service]
Type=oneshot
ExecStart=find /var/cache/debs -name *.deb -exec ln -sft /var/cache/apt/archives {} +
[Install]
WantedBy=sysinit.target
UNIT
systemctl enable mailstack-debs.service

# A container may not make user namespaces: units with PrivateUsers= (redis) would fail with 217/USER.
mkdir -p /etc/systemd/system/service.d
printf '[Service]\nPrivateUsers=no\n' > /etc/systemd/system/service.d/container.conf
# apt's timers would hold its locks in the middle of a test; there is no console; and where /tmp is a tmpfs, as on
# Debian 13, what `docker cp` (pyinfra's @docker) puts there lies underneath, out of the container's sight
for unit in apt-daily.timer apt-daily-upgrade.timer console-getty.service tmp.mount; do
    ln -sf /dev/null "/etc/systemd/system/$unit"
done

# someone who is not root, for deploys with _sudo
useradd --create-home --shell /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/admin
chmod 440 /etc/sudoers.d/admin

: > /etc/machine-id
rm -f /usr/sbin/policy-rc.d
apt-get clean
# what apt makes of its lists, which it would do again in every target
apt-cache gencaches
