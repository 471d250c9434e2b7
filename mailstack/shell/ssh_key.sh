#!/bin/sh
# Make a key of OpenSSH without a passphrase, for root alone: ssh_key.sh PATH
set -eu
umask 077
mkdir -p "${1%/*}"
rm -f "$1.new" "$1.new.pub"
ssh-keygen -q -t ed25519 -N '' -C "backup of $(hostname)" -f "$1.new"
mv -f "$1.new.pub" "$1.pub"
mv -fT "$1.new" "$1"
