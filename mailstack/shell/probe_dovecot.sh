#!/bin/sh
# Whether Dovecot can ask the database: of a user that is in no domain it says so, and of a failure something else.
said=$(timeout 20 doveadm -o stats_writer_socket_path= auth lookup nobody@invalid 2>&1)
case $said in
  *"doesn't exist"*) ;;
  *) printf '%s\n' "$said" >&2; exit 1 ;;
esac
