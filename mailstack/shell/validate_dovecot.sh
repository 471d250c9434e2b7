#!/bin/sh
# Whether Dovecot can run with the configuration staged in $stage: validate_dovecot.sh [SIEVE-SCRIPT]...
staged=${stage:?}/etc/dovecot/dovecot.conf

doveconf -c "$staged" -n >/dev/null || exit 1

# doveconf does not look at what %{...} in a value comes to, nor for plugins. This does, as far as programs need it
# to open a mailbox; that it finds no mailbox there is no fault
case $(dovecot --version) in 2.3.*) lookup='' ;; *) lookup=--no-userdb-lookup ;; esac
# shellcheck disable=SC2086
said=$(env -i PATH="$PATH" HOME=/nonexistent USER=user@example.org \
  doveadm -c "$staged" -o stats_writer_socket_path= mailbox list $lookup 2>&1) ||
  case $said in
    *"Failed to expand"* | *"Plugin '"*) printf '%s\n' "$said" >&2; exit 1 ;;
  esac

for script in "$@"; do
  sievec -c "$staged" "$stage$script" || exit 1
done
