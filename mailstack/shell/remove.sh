#!/bin/sh
# Give a host back; all other parts and `ends`, which ends what a deploy without these components ends, come before it.
# All that is done can be done again, so a run that is killed is completed by the next.
# shellcheck disable=SC2013,SC2154  # words end at newlines; remove_begin.sh sets the variables

runs() { case $(systemctl is-active "$1" 2>/dev/null) in active | activating | reloading | deactivating) ;; *) return 1 ;; esac; }

is_on() {
  ! runs "$1" || return 0
  case $(systemctl is-enabled "$1" 2>/dev/null) in enabled*) return 0 ;; *) return 1 ;; esac
}

end() {
  systemctl disable --quiet "$1" 2>/dev/null || :  # it fails for a masked one
  systemctl stop "$1"
}

writers() {  # units that may change the state, those that start others first
  {
    of unit
    [ "$scope" != all ] || systemctl list-units --plain --no-legend 'mailstack-*' | awk '{ print $1 }'
    of service
    # the database is dumped, and apt needs the resolver; the web server may have sites of others
  } | grep -v -e '^mailstack-firewall' -e '^postgresql' -e '^mariadb' -e '^unbound' -e '^nginx'
}

stop() {
  stopped=
  for name in $(writers); do
    runs "$name" || continue
    stopped="$stopped
$name"
    # Postfix of Debian 12 is an instance of a template
    systemctl stop "$name" "$name@*"
  done
  for name in $(writers); do
    ! runs "$name" || refuse "$name does not stop, so nothing was removed"
  done
}

resume() {  # what `stop` has stopped, as the run ends before anything is removed
  for name in $stopped; do systemctl start --no-block "$name" || :; done
}

unmask() {  # of one component, the units of its packages
  units=${MAILSTACK_ROOT:-}/etc/systemd/system
  for name in $(things | sed -n 's/^mask //p'); do
    # shellcheck disable=SC2046
    [ "$scope" = all ] || dpkg-query -L $(of package) 2>/dev/null | grep -q "/systemd/system/$name\$" || continue
    [ ! -L "$units/$name" ] || act "unmask $name" rm -f "$units/$name"
  done
}

start() {  # services of packages that stay, with Debian's configuration, or that of the administrator
  systemd-tmpfiles --create --prefix=/etc || :  # links of Debian that a purge has removed
  systemctl daemon-reload
  systemctl reset-failed 2>/dev/null || :
  # of a Postfix that stays without mailstack; else the next deploy would find another index than its own
  if [ "$scope" = all ] && [ -e /etc/aliases ] && command -v newaliases >/dev/null; then newaliases || :; fi
  for name in $(of service); do
    find /etc/systemd/system -path "*.wants/$name.service" -xtype l -delete  # of a package that is gone
    systemctl is-enabled --quiet "$name" 2>/dev/null || continue
    systemctl restart "$name" || tell "$name does not start: journalctl -u $name says why"
  done
}

everything() {
  [ -e "$own" ] || return 0
  for unit in $(of unit); do ! is_on "$unit" || act "stop $unit" end "$unit"; done
  [ "$mode" != go ] || ends
  files
  sweep
  unmask
  [ "$mode" != go ] || { systemctl daemon-reload; prune; }  # or packages would leave their own directories
  [ "$choice" = keep ] || drop
  packages
  [ "$choice" = keep ] || erase
  accounts
  [ "$mode" != go ] || start
  if goes_last; then act "remove $own" forget; fi
}

goes_last() {  # the record; without it, nothing is known of mailstack
  [ "$scope" = all ] && [ "$choice" != keep ] && { [ -e "$own/brought" ] || [ -e "$begun" ] || [ -e "$own/lock" ]; }
}

forget() {
  prune
  # copies of files that were not given back stay, and backups if they are here
  find "$own/found" -depth -type d -empty -delete 2>/dev/null || :
  rm -rf "$own/brought" "$begun" "$own/lock"
  rmdir "$own" 2>/dev/null || :
}

case $mode in
  describe)
    check
    describe ;;
  look)
    check
    shown=$(everything)
    [ "$shown" ] || exit 0
    [ "$choice" != archive ] || is_archived || echo "archive the state, and /etc, in $directory"
    printf '%s\n' "$shown" ;;
  go)
    mkdir -p "$own"
    exec 9> "$own/lock"
    flock -w 5 9 || refuse 'another run is at work on this host: try again after it'
    note
    check
    trap 'resume; rm -f /run/mailstack-remove' EXIT
    doing 'stop the services'
    stop
    case $choice in
      archive)
        doing "archive the state, and /etc, in $directory"
        is_archived || archive ;;
      delete) is_begun || begin_with 'no archive' ;;
    esac
    trap 'rm -f /run/mailstack-remove' EXIT
    everything
    rm -f "$begun"
    rmdir "$own" 2>/dev/null || : ;;
esac
