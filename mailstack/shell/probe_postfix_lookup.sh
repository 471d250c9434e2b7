#!/bin/sh
# Check that Postfix can query the database: probe_postfix_lookup.sh TABLE
# postmap(1) prints nothing for a name that does not exist, and an error if the query fails.
said=$(timeout 20 postmap -q invalid. "$1" 2>&1)
[ -z "$said" ] || { printf '%s\n' "$said" >&2; exit 1; }
