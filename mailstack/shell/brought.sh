#!/bin/sh
# Record what deploys bring to a host, for mailstack.remove. Functions: `begin` comes before an installation, `note` after it.
# /var/lib/mailstack/brought/things has a line for each: KIND NAME. `replaced` has the packages that apt removed for them.
# An installation that is killed leaves `before`, from which the next `note` goes on.
brought=${MAILSTACK_ROOT:-}/var/lib/mailstack/brought

present() {
  dpkg-query -W -f '${db:Status-Status} package ${Package}\n' | sed -n 's/^installed //p'
  # of packages: an account of a person that is made before a killed run goes on is not the deploy's
  awk -F: '$3 < 1000 { print "user " $1 }' /etc/passwd
  awk -F: '$3 < 1000 { print "group " $1 }' /etc/group
  find /etc/systemd/system -maxdepth 1 -lname /dev/null -printf 'mask %f\n'
  # a purge of `locales` takes it, also if it was there before
  find /etc/default -maxdepth 1 -name locale -type f -printf 'file %p\n'
}

sorted() { LC_ALL=C sort -u; }

differ() { LC_ALL=C comm "$@"; }  # of sorted files

begin() (
  umask 077
  [ ! -e "$brought/before" ] || exit 0
  mkdir -p "$brought" && present | sorted > "$brought/before.new" && mv -f "$brought/before.new" "$brought/before"
)

things() {  # print them, also those of an installation that was not noted
  {
    [ ! -e "$brought/things" ] || cat "$brought/things"
    [ ! -e "$brought/before" ] || present | sorted | differ -13 "$brought/before" -
  } | sorted
}

bring() (  # KIND NAME: one thing, before it is made
  umask 077
  mkdir -p "$brought" && { things; echo "$1 $2"; } | sorted > "$brought/things.new" &&
    mv -f "$brought/things.new" "$brought/things"
)

note() (
  umask 077
  [ -e "$brought/before" ] || exit 0
  things > "$brought/things.new" && mv -f "$brought/things.new" "$brought/things" || exit 1
  {
    [ ! -e "$brought/replaced" ] || cat "$brought/replaced"
    present | sorted | differ -23 "$brought/before" - | sed -n 's/^package //p'
  } | sorted > "$brought/replaced.new" && mv -f "$brought/replaced.new" "$brought/replaced" || exit 1
  rm -f "$brought/before"
)
