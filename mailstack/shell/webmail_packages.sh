#!/bin/sh
# Before Roundcube and PHP are installed: webmail_packages.sh
# Debian's own Roundcube gets no database, as webmail has one, and its units would fail. Debian's own PHP has no site, and would
# only take memory. What is on the host already goes on.
is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

if ! is_installed roundcube-core; then
  printf 'roundcube-core roundcube/%s\n' 'dbconfig-install boolean false' 'reconfigure-webserver multiselect' |
    debconf-set-selections || exit 1
  systemctl mask --quiet roundcube-gc.timer roundcube-cleandb.timer
fi
fpm=$(apt-cache depends php-fpm 2>/dev/null | sed -n 's/^ *Depends: \(php[0-9.]*-fpm\)$/\1/p')
[ -z "$fpm" ] || is_installed "$fpm" || systemctl mask --quiet "$fpm.service"
