#!/bin/sh
# Whether Postfix can ask the database: probe_postfix_lookup.sh TABLE
# postmap(1) prints nothing for a name that is not there, and why it could not ask.
said=$(timeout 20 postmap -q invalid. "$1" 2>&1)
[ -z "$said" ] || { printf '%s\n' "$said" >&2; exit 1; }
