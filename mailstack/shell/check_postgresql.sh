#!/bin/sh
# Make the cluster if there is none, and see whether PostgreSQL must start anew: check_postgresql.sh PORT
# apply.sh runs this, with $stage and the function mark.
version=$(ls "${stage:?}/etc/postgresql")  # only of one version anything is staged
cluster=/etc/postgresql/$version/main
ours=$cluster/conf.d/mailstack.conf

# pg_ctlcluster(1) starts it once our configuration lies there
[ -e "$cluster/postgresql.conf" ] ||
  pg_createcluster --port "$1" --encoding UTF8 --locale C.UTF-8 "$version" main >&2

# To start PostgreSQL takes seconds, in which all lookups fail. Where ours lies already, PostgreSQL may run with
# whatever was in it. Where none does, -C says what the configuration comes to.
as_it_is() {
  if [ -e "$ours" ]; then cat "$ours"; return; fi
  sed -n 's/^\([a-z_]*\) = .*/\1/p' "$stage$ours" | while read -r name; do
    runuser -u postgres -- "/usr/lib/postgresql/$version/bin/postgres" -D "$cluster" -C "$name" </dev/null
  done
}

as_it_will_be() {
  if [ -e "$ours" ]; then cat "$stage$ours"; return; fi
  sed -n "s/^listen_addresses = '\(.*\)'/\1/p; s/^port = //p" "$stage$ours"
}
[ "$(as_it_is 2>&1)" = "$(as_it_will_be 2>&1)" ] || mark postgresql.restart
