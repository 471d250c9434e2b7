#!/bin/sh
# Whether the rules of the firewall are loaded: probe_firewall.sh PROGRAM UNIT
# The program has nothing to say while an administrator has switched it off
[ "$(systemctl is-enabled "$2" 2>/dev/null)" != masked ] || { echo "an administrator has masked $2" >&2; exit 1; }
said=$("$1" state) && [ -z "$said" ] || { echo "$said" >&2; exit 1; }
