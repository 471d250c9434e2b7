#!/bin/sh
# Delete the homes of removed users: delete_homes.sh HOME…; enter.sh comes before it
# A command that still works on one of them, by the plan of mailbox_program.sh, would make it again: so wait for it.
run=${MAILSTACK_ROOT:-}/run
for home; do
  left=60
  escaped=$(printf %s "$home" | sed 's/["\\]/\\&/g')  # as JSON has it
  while grep -qsF "\"home\": \"$escaped\"" "$run/mailstack-convert/plan" "$run/mailstack-import_mail/plan"; do
    left=$((left - 1))
    if [ $left -eq 0 ]; then
      printf 'mailstack.accounts.convert or import_mail works on %s; the user is disabled: remove it again afterwards\n' \
        "$home" >&2
      exit 1
    fi
    sleep 1
  done
  [ -e "$home" ] || [ -L "$home" ] || continue
  # rm(1) follows no link in a home, but one in the place of the directory of its domain
  (enter "${home%/*}" && rm -rf -- "./${home##*/}") || exit 1
done
