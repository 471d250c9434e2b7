#!/bin/sh
# End what verify_accounts.sh began, and fail if accounts are left.
directory=/run/mailstack-verify-accounts unit=mailstack-verify-accounts
said=$(systemctl stop "$unit" 2>&1)  # fails after five minutes, as it has ended then
[ ! -e "$directory" ] || { printf '%s\n' "${said:-the unit goes on}" >&2; exit 1; }
[ ! -e "$directory.left" ] || { echo "journalctl -u $unit says why" >&2; exit 1; }
