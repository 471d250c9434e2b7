# Turns a target into a machine of a person's: with Chromium, fonts, and an SSH client.
# Run by images.py in a container of the target, as root. It is driven by tests/support/browser.py.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get install -qy --no-install-recommends chromium fonts-dejavu-core openssh-client
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
apt-get clean
