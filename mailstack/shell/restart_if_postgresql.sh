#!/bin/sh
# Succeed if PostgreSQL must restart for the configuration staged in $stage.
# A restart takes seconds, in which all lookups fail.
version=$(ls "${stage:?}/etc/postgresql")  # files of one version only are staged
cluster=/etc/postgresql/$version/main
ours=$cluster/conf.d/mailstack.conf

# If mailstack.conf exists, PostgreSQL may run with anything it contains. If it does not, `postgres -C` prints the
# values in force.
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
[ "$(as_it_is 2>&1)" != "$(as_it_will_be 2>&1)" ]
