# Turns a target into the peer: the outside world in one host. It is a stranger who sends mail with any client, the
# remote server remote.example.net, which takes all mail for itself, and a relay host on 587 for those who log in as
# relay@remote.example.net / relay-secret. Whatever it takes lies in /srv/mail/inbox/new, one message a file. And it has
# the e-mail corpus of CPython's test suite.
set -eu
export DEBIAN_FRONTEND=noninteractive

printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get install -qy --no-install-recommends \
    curl isync libpython3.13-testsuite libsasl2-modules openssl postfix python3 sasl2-bin swaks libnet-ssleay-perl \
    libio-socket-ssl-perl

useradd --system --home-dir /srv/mail --create-home collector
install -d -o collector -g collector /srv/mail/inbox
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=remote.example.net \
    -addext subjectAltName=DNS:remote.example.net -keyout /etc/postfix/key.pem -out /etc/postfix/cert.pem
chmod 600 /etc/postfix/key.pem

cat > /etc/postfix/main.cf <<MAIN
compatibility_level = 3.6
myhostname = remote.example.net
mydestination =
mynetworks = 127.0.0.0/8 [::1]/128
inet_interfaces = all
inet_protocols = all
maillog_file =
# every address of ours, and whatever a client relays, ends in the one inbox
virtual_mailbox_domains = remote.example.net
virtual_mailbox_base = /srv/mail
virtual_mailbox_limit = 0
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:$(id -u collector)
virtual_gid_maps = static:$(id -g collector)
default_transport = virtual
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_tls_cert_file = /etc/postfix/cert.pem
smtpd_tls_key_file = /etc/postfix/key.pem
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
message_size_limit = 52428800
MAIN
# smtpd is not chrooted here, so that it finds the SASL database
postconf -F 'smtp/inet/chroot = n'
postconf -M 'submission/inet = submission inet n - n - - smtpd'
postconf -P 'submission/inet/smtpd_sasl_auth_enable = yes' 'submission/inet/smtpd_tls_security_level = encrypt'
mkdir -p /etc/postfix/sasl
printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n' > /etc/postfix/sasl/smtpd.conf
echo relay-secret | saslpasswd2 -p -c -u remote.example.net relay
chgrp postfix /etc/sasldb2

rm -f /usr/sbin/policy-rc.d
apt-get clean
