#!/bin/sh
# Whether Postfix can run with the configuration staged in $stage.
staged=${stage:?}/etc/postfix

postconf_staged() {  # with -c alone, Postfix 3.10 looks for tables below the $config_directory that is running
  postconf -c "$staged" -o config_directory="$staged" "$@"
}

# postconf only warns about a parameter that nothing uses, and that is a misspelt one
said=$(postconf_staged -n 2>&1 >/dev/null; postconf_staged -M 2>&1 >/dev/null)
[ -z "$said" ] || { echo "$said" >&2; exit 1; }

# what every program of Postfix looks at when it starts, and most of them end for; `postfix check` does no more
# for files that are not in place yet, but then takes its time to look through the queue
postmap -c "$staged" -q x static:x >/dev/null || exit 1
