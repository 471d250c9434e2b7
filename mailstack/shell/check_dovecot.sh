#!/bin/sh
# Whether Dovecot can run with the staged configuration: check_dovecot.sh [SIEVE-SCRIPT]...
# apply.sh runs this, with $stage and the function mark.
configuration=/etc/dovecot/dovecot.conf
staged=${stage:?}$configuration

doveconf -c "$staged" -n >/dev/null

# doveconf does not look at what %{...} in a value comes to, nor for plugins. This does, as far as programs need it
# to open a mailbox; that it finds no mailbox there is no fault
case $(dovecot --version) in 2.3.*) lookup='' ;; *) lookup=--no-userdb-lookup ;; esac
# shellcheck disable=SC2086
said=$(env -i PATH="$PATH" HOME=/nonexistent USER=user@example.org \
  doveadm -c "$staged" -o stats_writer_socket_path= mailbox list $lookup 2>&1) ||
  case $said in
    *"Failed to expand"* | *"Plugin '"*) printf '%s\n' "$said" >&2; exit 1 ;;
  esac

read_at_start() {  # CONFIGURATION
  # a reload of 2.4 starts no new protocol: the login processes miss their directory
  doveconf -c "$1" -h protocols listen
  # a configuration of another may have sockets that we take away, and a reload complains of that; ours has this line
  head -n 1 "$1"
}
[ "$(read_at_start "$configuration" 2>&1)" = "$(read_at_start "$staged" 2>&1)" ] || mark dovecot.restart

for script in "$@"; do
  sievec -c "$staged" "$stage$script"
done
