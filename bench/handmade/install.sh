#!/bin/sh
# Turns a bare Debian 12 or 13 into the hand-made server; the files beside this one are its configuration.
#
# usage: install.sh packages     the packages, as Debian starts them
#        install.sh configured   and everything else
set -eu
here=$(dirname "$0")
export DEBIAN_FRONTEND=noninteractive

if [ "$1" = packages ]; then
  apt-get update -q
  apt-get install -qy --no-install-recommends postgresql postfix postfix-pgsql \
    dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-pgsql dovecot-sieve dovecot-managesieved
  exit
fi

# 2.3 or 2.4
dovecot=$(dpkg-query -W -f '${Version}' dovecot-core | sed -E 's/^1:([0-9]+\.[0-9]+).*/\1/')

runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -f - postgres < "$here/schema.sql"

groupadd --gid 5000 vmail
useradd --uid 5000 --gid 5000 --home-dir /var/vmail --create-home --shell /usr/sbin/nologin vmail
mkdir -p /etc/ssl/mail /etc/postfix/sql
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=mail.example.org \
  -keyout /etc/ssl/mail/key.pem -out /etc/ssl/mail/cert.pem 2>/dev/null

cp "$here/main.cf" /etc/postfix/main.cf
cat "$here/submission.cf" >> /etc/postfix/master.cf
for query in "$here"/sql/*.cf; do
  { printf 'hosts = 127.0.0.1\ndbname = mail\nuser = mailro\npassword = mailro\n'; cat "$query"; } \
    > "/etc/postfix/sql/${query##*/}"
done
chgrp -R postfix /etc/postfix/sql
chmod -R o= /etc/postfix/sql
newaliases

mkdir -p /var/spool/postfix/private
cp "$here/dovecot-$dovecot.conf" /etc/dovecot/dovecot.conf
install -m 0600 "$here/dovecot-$dovecot-sql.conf" /etc/dovecot/sql.conf

systemctl restart postfix dovecot
