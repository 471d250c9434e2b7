#!/bin/sh
# The packages of a removal, and the users that came with them; remove_begin.sh, remove_database.sh, remove_files.sh, keep.sh and
# brought.sh come before it.
# Only what a deploy has installed goes, and only what nothing else needs.
# shellcheck disable=SC2013,SC2046,SC2086,SC2154  # words end at newlines; remove_begin.sh sets the variables

simulated() {  # ARGUMENT...: the packages that apt would remove
  apt-get -s -q -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false "$@" 2>/dev/null |
    sed -n 's/^\(Remv\|Purg\) \([^ ]*\).*/\2/p' | sorted
}

each() { printf '%s\n' "$1" | grep . || :; }  # LINES: those that are not empty

without() { each "$1" | grep -vxF -e "$2" || :; }  # LINES LINES

both() { each "$1" | grep -xF -e "$2" || :; }  # LINES LINES

needed_by() {  # NAME...: they, and all that they need
  [ $# -gt 0 ] || return 0
  printf '%s\n' "$@"
  apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "$@" | grep '^[a-z0-9]' || :
}

vital() {  # what no host is without, and all that this needs: apt refuses even to simulate that one of it goes
  needed_by $(dpkg-query -W -f '${db:Status-Status} ${Essential}${Protected} ${Package}\n' | sed -n 's/^installed .*yes.* //p')
}

present_of() {  # LINES: the packages of these that can go, also half removed ones; of removed ones, their configuration
  for name in $1; do
    case $(status_of "$name"),$choice in
      ,* | not-installed,* | config-files,keep) ;;
      *) echo "$name" ;;
    esac
  done
}

server_of_others() {  # the package of the database server, if it has databases of others
  has_server || return 0
  theirs=$(others) || exit 1
  [ "$theirs" ] || return 0
  tell "the database server stays: it has databases of others: $(printf '%s' "$theirs" | inline)"
  case $engine in mysql) echo mariadb-server ;; *) echo postgresql; servers ;; esac
}

has_files_of_others() {  # PACKAGE DIRECTORY... [TEST...]: print the package if it would go and there are; a purge deletes them
  name=$1
  shift
  [ "$(both "$name" "$named")" ] || return 0
  theirs=$(find "$@" -mindepth 1 2>/dev/null | while read -r path; do is_ours "$path" || echo "$path"; done)
  [ "$theirs" ] || return 0
  tell "$name stays: it has files of others: $(printf '%s' "$theirs" | inline)"
  echo "$name"
}

used_by_others() {  # sites, certificates, programs in PHP: those of mailstack are in its own directories
  etc=${MAILSTACK_ROOT:-}/etc
  has_files_of_others nginx "$etc/nginx/conf.d" "$etc/nginx/sites-enabled"
  has_files_of_others certbot "$etc/letsencrypt/renewal"
  for name in $(each "$named" | grep -x 'php[0-9.]*-fpm'); do
    has_files_of_others "$name" "$etc/php/$(echo "$name" | tr -cd 0-9.)/fpm/pool.d" ! -name www.conf
  done
}

purged() {  # print the packages that go
  record=$(things | sed -n 's/^package //p')
  named=$record
  [ "$scope" = all ] || named=$(both "$(of package)" "$record")
  named=$(present_of "$named")
  [ "$named" ] || return 0
  server=$(server_of_others)
  used=$(used_by_others)
  stay=$(vital)
  theirs=$(without "$(simulated purge $(without "$named" "$stay"))" "$record")
  needed=$(of needed)
  stay=$(printf '%s\n' "$stay" && needed_by $theirs $needed $server $used)
  theirs=$(both "$named" "$stay")
  [ -z "$theirs" ] || tell "packages stay that others need: $(each "$theirs" | inline)"
  named=$(without "$named" "$stay")
  [ "$named" ] || return 0
  # what was here before stays, also if nothing needs it now
  going=$(without "$(both "$(simulated --auto-remove purge $named)" "$record")" "$stay")
  [ "$going" ] || refuse "apt-get can't remove: $(each "$named" | inline)"
  more=$(without "$(simulated purge $going)" "$going")
  [ -z "$more" ] || refuse "others need what would be removed: $(each "$more" | inline)"
  printf '%s\n' "$going"
}

settle() {  # after a removal that was killed: until then, apt refuses to go on
  for _ in $(seq 300); do
    said=$(dpkg --force-confold --configure -a 2>&1) && return
    case $said in *lock*) sleep 1 ;; *) break ;; esac  # dpkg does not wait for its lock
  done
  tell "$said"
}

packages() {
  [ "$mode" != go ] || settle
  gone=$(purged)
  [ -z "$gone" ] || act "remove the packages $(each "$gone" | inline)" remove_packages
  [ "$scope" != all ] || bring_back
  incomplete=$(without_conffiles)
  [ -z "$incomplete" ] || act "install the packages' own files again: $(each "$incomplete" | inline)" complete
}

apt_get() { apt-get -qq -y -o DPkg::Lock::Timeout=300 --no-install-recommends "$@" >/dev/null; }

remove_packages() {
  case $choice in
    keep) apt_get remove $gone ;;
    *)
      # a purge of `locales` takes it, also if it was there before
      things | grep -qx 'file /etc/default/locale' || keep /etc/default/locale
      apt_get purge $gone
      left=$(present_of "$gone")  # apt only removes what was half removed
      [ -z "$left" ] || apt_get purge $left
      give_back /etc/default/locale ;;
  esac
}

bring_back() {  # what apt has removed for a package of mailstack
  back=
  for name in $(cat "$own/brought/replaced" 2>/dev/null); do
    is_installed "$name" || back="$back
$name"
  done
  back=$(each "$back")
  [ -z "$back" ] || act "install what was here before: $(each "$back" | inline)" again $back
}

without_conffiles() {  # packages that stay, and lack a file of their configuration that a deploy has removed
  for name in $(of package); do
    if ! is_installed "$name" || [ "$(both "$name" "$gone")" ]; then continue; fi
    for path in $(dpkg-query -W -f '${Conffiles}\n' "$name" | awk '$3 != "obsolete" { print $1 }'); do
      if goes "$path" && of file | cut -f 1 | grep -qxF -e "$path"; then
        echo "$name"
        break
      fi
    done
  done
}

goes() { [ ! -e "$1" ] || { is_ours "$1" && [ ! -e "$own/found$1" ]; }; }  # PATH

complete() { again --reinstall -o Dpkg::Options::=--force-confmiss $incomplete; }

again() {  # ARGUMENT...: the host is given back without them, too
  apt_get -o Dpkg::Options::=--force-confold install "$@" || tell "apt-get install $(printf '%s\n' "$@" | inline) failed"
}

makers() {  # what the packages of deploys that stay make accounts by
  for name in $(without "$(things | sed -n 's/^package //p')" "$gone"); do
    is_installed "$name" || continue
    cat "${MAILSTACK_ROOT:-}/var/lib/dpkg/info/$name.postinst" 2>/dev/null || :
    dpkg -L "$name" | grep '^/usr/lib/sysusers[.]d/' | while read -r path; do cat "${MAILSTACK_ROOT:-}$path"; done
  done
}

accounts() {  # system users and groups; of Debian's packages too, as these leave them
  # with `all`, the files that are kept are theirs; one component has state of no user of its own
  [ "$scope,$choice" != all,keep ] || return 0
  makers=$(makers)
  for kind in user group; do
    named=$(things | sed -n "s/^$kind //p")
    [ "$scope" = all ] || named=$(both "$(of user)" "$named")
    for name in $named; do
      # without `ssl-cert`, a PostgreSQL that stays can't read its key
      ! printf '%s\n' "$makers" | grep -qw -e "$name" || continue
      ! has_account $kind "$name" || act "remove $kind $name" remove_account $kind "$name"
    done
  done
}

has_account() {  # KIND NAME
  case $1 in
    user) grep -q "^$2:" /etc/passwd ;;
    *) grep -q "^$2:" /etc/group ;;
  esac
}

remove_account() {
  "${1}del" "$2" 2>/dev/null || ! has_account "$1" "$2" ||
    tell "$1 $2 stays: it has processes, or is the group of another user"
}
