# Turns a target into old.example.net, a mail server that users move away from, made by others: Dovecot on 993 and 143
# and Courier on 1993, with Maildirs of their own, and certificates that nobody signed. Users olga (Dovecot) and
# claire (Courier) are system users, both with the password in old_server.py.
set -eu
export DEBIAN_FRONTEND=noninteractive

printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get install -qy --no-install-recommends courier-authdaemon courier-base dovecot-imapd openssl
cd /tmp
apt-get download courier-imap # it and dovecot-imapd conflict, only by their ports; neither needs an MTA
dpkg --force-conflicts --force-depends --install courier-imap_*.deb
rm /usr/sbin/policy-rc.d

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=old.example.net \
    -addext subjectAltName=DNS:old.example.net -keyout /etc/ssl/private/old.key -out /etc/ssl/certs/old.pem
cat /etc/ssl/private/old.key /etc/ssl/certs/old.pem > /etc/courier/imapd.pem
chmod 600 /etc/courier/imapd.pem

for user in olga claire; do
    useradd --create-home --shell /bin/false "$user"
    printf '%s:%s\n' "$user" "p\"a\\ss #%{user}\$x '<end" | chpasswd
    mkdir -p "/home/$user/Maildir/cur" "/home/$user/Maildir/new" "/home/$user/Maildir/tmp"
    chown -R "$user:$user" "/home/$user"
done

cat > /etc/dovecot/dovecot.conf <<CONF
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.0
protocols = imap
ssl = required
ssl_server_cert_file = /etc/ssl/certs/old.pem
ssl_server_key_file = /etc/ssl/private/old.key
mail_driver = maildir
mail_path = ~/Maildir
namespace inbox {
  inbox = yes
}
passdb pam {
}
userdb passwd {
}
CONF
sed -i 's/^SSLPORT=.*/SSLPORT=1993/; s/^#*MAILDIRPATH=.*/MAILDIRPATH=Maildir/' /etc/courier/imapd-ssl
sed -i 's/^PORT=.*/PORT=1143/; s/^IMAPDSTART=.*/IMAPDSTART=NO/' /etc/courier/imapd
sed -i 's/^IMAPDSSLSTART=.*/IMAPDSSLSTART=YES/' /etc/courier/imapd-ssl
systemctl disable courier-imap || true
systemctl enable dovecot courier-authdaemon courier-imap-ssl
