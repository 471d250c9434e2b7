#!/bin/sh
# Check that Dovecot can query the database: it then says that a user of an unknown domain doesn't exist.
said=$(timeout 20 doveadm -o stats_writer_socket_path= auth lookup nobody@invalid 2>&1)
case $said in
  *"doesn't exist"*) ;;
  *) printf '%s\n' "$said" >&2; exit 1 ;;
esac
