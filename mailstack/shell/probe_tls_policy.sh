#!/bin/sh
# Check that Postfix can ask for policies: probe_tls_policy.sh TABLE
# There is none for this name, so that no DNS is asked. postmap(1) ends with 1 then too, but prints nothing
said=$(timeout 20 postmap -q .invalid "$1" 2>&1)
status=$?
[ "$status" = 1 ] && [ -z "$said" ] || { printf '%s\n' "${said:-no answer}" >&2; exit 1; }
