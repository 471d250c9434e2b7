#!/bin/sh
# Whether rspamd can run with the configuration staged in $stage, together with what an administrator added.
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
cp -a /etc/rspamd/. "$new"
cp -a "${stage:?}/etc/rspamd/." "$new"
# a directory of its own for what it compiles: rspamd could not replace files of root in its own
mkdir "$new/db"
said=$(rspamadm --var=LOCAL_CONFDIR="$new" --var=DBDIR="$new/db" configtest -c /etc/rspamd/rspamd.conf 2>&1) ||
  { printf '%s\n' "$said" >&2; exit 1; }
# to rspamadm it is no fault if a module can't start with its settings, but then the module is off
case $said in
  *"rspamd_init_lua_filters: init of "*" failed"*) printf '%s\n' "$said" >&2; exit 1 ;;
esac
