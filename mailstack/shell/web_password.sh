#!/bin/sh
# Make a password unless there is one, and its hash for rspamd: web_password.sh SECRET HASH MARK < NEW-PASSWORD
set -eu
umask 077
secret=$1 hash=$2 mark=$3
IFS= read -r new
if [ ! -s "$secret" ]; then
  mkdir -p "${secret%/*}"
  printf '%s\n' "$new" > "$secret.new"
  mv -fT "$secret.new" "$secret"
fi
# rspamadm pw(1) would take it from a terminal, or from its arguments, which others can read
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 'print(require("rspamd_cryptobox").pbkdf(io.stdin:read("*l")))' > "$work/hash.lua"
made=$(rspamadm lua -b "$work/hash.lua" < "$secret")
# shellcheck disable=SC2016
case $made in '$'*) ;; *) echo 'rspamadm made no hash' >&2; exit 1 ;; esac
install -d -m 755 "${hash%/*}"
printf 'password = "%s";\n' "$made" > "$hash.new"
chgrp _rspamd "$hash.new"
chmod 640 "$hash.new"
mkdir -p "${mark%/*}"
: > "$mark"
mv -fT "$hash.new" "$hash"
