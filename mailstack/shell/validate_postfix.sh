#!/bin/sh
# Check that Postfix can run with the configuration staged in $stage.
staged=${stage:?}/etc/postfix

# tables of other components, which are staged only if one of their files has changed
for table in /etc/postfix/sql/*.cf; do
  [ -e "$staged/sql/${table##*/}" ] || [ ! -e "$table" ] || cp -p "$table" "$staged/sql/" || exit 1
done

postconf_staged() {  # with -c alone, Postfix 3.10 looks for tables below the $config_directory that is running
  postconf -c "$staged" -o config_directory="$staged" "$@"
}

# postconf only warns about a parameter that nothing uses, which is a misspelt one
said=$(postconf_staged -n 2>&1 >/dev/null; postconf_staged -M 2>&1 >/dev/null) || :  # a fatal error is text, too
[ -z "$said" ] || { echo "$said" >&2; exit 1; }

# postmap checks what every program of Postfix checks when it starts. `postfix check` checks no more of files that are
# not in place yet, and reads the whole queue
postmap -c "$staged" -q x static:x >/dev/null || exit 1
