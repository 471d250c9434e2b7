#!/bin/sh
# Check that Postfix can query the database: probe_postfix_lookup.sh TABLE
# There is no such name: postmap(1) ends with 1 and prints nothing. It prints an error if the query fails
said=$(timeout 20 postmap -q invalid. "$1" 2>&1)
status=$?
[ "$status" = 1 ] && [ -z "$said" ] || { printf '%s\n' "${said:-no answer}" >&2; exit 1; }
