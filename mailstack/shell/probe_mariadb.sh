#!/bin/sh
# Whether MariaDB has the mail database: probe_mariadb.sh DATABASE SOCKET
timeout 20 mariadb --no-defaults --protocol=socket --socket="$2" --user=root --connect-timeout=10 \
  -e 'SELECT 1 FROM mail_domain LIMIT 1' "$1" >/dev/null </dev/null
