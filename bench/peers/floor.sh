#!/bin/sh
# The least that a first deploy can be: the same packages, files, database and services, by the tools themselves.
# Run on the host, in the folder of a kit: sh floor.sh POSTGRESQL-UNIT UID GID HOSTNAME DATABASE
set -eu
postgresql=$1 uid=$2 gid=$3 hostname=$4 database=$5
export DEBIAN_FRONTEND=noninteractive

find /var/lib/apt/lists -name '*_Packages*' -mmin -1440 | grep -q . || apt-get update -q
# shellcheck disable=SC2046
apt-get install -qy --no-install-recommends $(cat packages)

groupadd --system -g "$gid" vmail
useradd --system -u "$uid" -g "$gid" -d /var/vmail -M -s /usr/sbin/nologin vmail
while read -r owner group mode path; do
    install -d -o "$owner" -g "$group" -m "$mode" "$path"
done < directories.list
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650 -subj "/CN=$hostname" \
    -addext "subjectAltName=DNS:$hostname" -keyout /etc/ssl/mailstack/key.pem -out /etc/ssl/mailstack/cert.pem
chmod 600 /etc/ssl/mailstack/key.pem
while read -r _ _ owner group mode path; do
    install -D -o "$owner" -g "$group" -m "$mode" "files$path" "$path"
done < files.list

psql() { runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 "$@" >/dev/null; }
systemctl restart "$postgresql"
psql -f - < roles.sql
psql -f - < database.sql
psql -1 -d "$database" -f - < schema.sql
psql -1 -d "$database" -f - < accounts.sql

while read -r _ indexed owner group mode path; do
    case $indexed in
        no) ;;
        sievec) sievec -c /etc/dovecot/dovecot.conf "$path" ;;  # without -c the running daemon's settings
        *) "$indexed" "$path"; chown "$owner:$group" "$path.db"; chmod "$mode" "$path.db" ;;
    esac
done < files.list
systemctl restart dovecot postfix
