#!/bin/sh
# Print what a removal is doing at this moment, see `act` in remove_begin.sh.
cat /run/mailstack-remove 2>/dev/null
