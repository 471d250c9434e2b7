#!/bin/sh
# Check that Dovecot can run with the configuration staged in $stage: validate_dovecot.sh [SIEVE-SCRIPT]...
staged=${stage:?}/etc/dovecot/dovecot.conf

doveconf -c "$staged" -n >/dev/null || exit 1

# doveconf neither expands %{...} in values nor loads plugins. `doveadm mailbox list` does both, as far as opening a
# mailbox needs it; the mailbox itself need not exist
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
