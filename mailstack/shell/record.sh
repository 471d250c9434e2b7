#!/bin/sh
# Keep the result of a command for `mailstack.status`: record.sh NAME FAILURES
# FAILURES is a JSON list with a line for each.
umask 022
mkdir -p /var/lib/mailstack && cd /var/lib/mailstack || exit
umask 077
printf '{"at": %s, "failed": %s}\n' "$(date +%s)" "$2" > ".$1.new" && mv -f ".$1.new" "$1.json"
