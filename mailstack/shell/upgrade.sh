#!/bin/sh
# Upgrade Debian 12 to 13, by the unit mailstack-upgrade: upgrade.sh packages|cluster; brought.sh comes before it.
# A step that is done is noted, and not done again. One that was killed at any point is begun again by the next run. All
# output is in the log, and upgrade.json has the result.
set -u
umask 022
cd /
export LC_ALL=C DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1
state=/var/lib/mailstack/upgrade run=/run/mailstack-upgrade units=/etc/systemd/system old=bookworm new=trixie
log=$state/log
cluster_before=$(cat $state/begun) cluster=17 text=''
[ -e $log ] || (umask 077; : > $log)

say() {  # [PERCENT]
  printf '{"step": "%s", "percent": %d}\n' "$text" "${1:-0}" > $run/progress.new
  mv -f $run/progress.new $run/progress.json
}

result() {  # FAILURES, a list in JSON
  printf '{"at": %d, "failed": %s}\n' "$(date +%s)" "$1" > ${state%/*}/.upgrade.new
  mv -f ${state%/*}/.upgrade.new ${state%/*}/upgrade.json
}

step() {  # NAME TEXT COMMAND; NAME is `always` for one that is done by each run
  [ -e "$state/done/$1" ] && return
  text=$2
  say
  printf '\n%s: %s\n' "$(date)" "$2" >> $log
  before=$(wc -l < $log)
  if ! "$3" >> $log 2>&1; then
    why=$(sed "1,${before}d" $log | grep '^E: \|rror: ' || tail -n 1 $log)
    result "[\"$2: $(printf %s "$why" | tail -n 1 | tr -cd '[:print:]' | tr -d '\042\134'); all of it is in $log\"]"
    exit 1
  fi
  [ "$1" = always ] || : > "$state/done/$1"
}

apt() {  # COMMAND...: the lines that apt-get writes for programs have the percentage
  {
    apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold \
      -o APT::Update::Error-Mode=any -o APT::Status-Fd=9 "$@" 9>&1 >> $log 2>&1
    echo "end:$?"
  } | while IFS=: read -r kind first second _; do
    case $kind in
      end) exit "$first" ;;
      dlstatus | pmstatus) case ${second%%.*} in '' | *[!0-9]*) ;; *) say "${second%%.*}" ;; esac ;;
    esac
  done
}

configured() {  # dpkg does not wait for its lock
  for _ in $(seq 300); do
    said=$(dpkg --force-confold --configure -a 2>&1) && return
    case $said in *' lock'*) sleep 1 ;; *) break ;; esac
  done
  printf '%s\n' "$said"
}

completed() {  # what a killed run left: a package that was half unpacked, which apt passes over, and all that wait for others
  configured
  broken=$(dpkg-query -W -f '${db:Status-Eflag} ${binary:Package}\n' | sed -n 's/^reinstreq //p')
  if [ "$broken" ]; then
    rm -rf $state/unpacked && mkdir $state/unpacked || return 1
    # shellcheck disable=SC2086
    (cd $state/unpacked && apt-get -q download $broken && dpkg --force-depends --force-confold --unpack ./*.deb) || return 1
    rm -rf $state/unpacked
    configured
  fi
  # shellcheck disable=SC2046
  apt --fix-broken install $(fetched)
}

php() { cat $state/php 2>/dev/null; }  # to install, if anything

fetched() {  # the same, once it is here: nothing of Debian 13 is installed before, and sources may have been put back
  [ ! -e $state/done/fetch ] || php | xargs -r apt-cache pkgnames
}

successors() {  # before the first package goes; what a deploy has brought stays its own, for mailstack.remove
  things | sed -nE 's/^(package|mask) php8[.]2/\1 php8.4/p; s/^package (postgresql-|postgresql-client-)15$/package \117/p' |
    while read -r kind name; do bring "$kind" "$name" || exit 1; done || return 1
  is_installed php8.2-fpm || return 0
  [ ! -L $units/php8.2-fpm.service ] || systemctl mask php8.4-fpm.service || return 1
  # PHP asks for a server: of three apt would choose Apache, which takes the ports of nginx
  echo php8.4-fpm > $state/php
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

current() {
  apt update && apt dist-upgrade
}

sources() {  # Debian's own, as the checks have seen; `bookworm` is `trixie` then, and `bookworm-security` too
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    grep -qs "^[^#]*\b$old\b" "$file" || continue
    mkdir -p "$state/sources${file%/*}" && cp -p "$file" "$state/sources$file" || return 1
    [ -e $state/done/others ] || rm -f $state/done/fetch  # the lists of packages may be of these
    sed -i "/^[[:space:]]*#/!s/\b$old\b/$new/g" "$file" || return 1
  done
  grep -qs "^[^#]*\b$new\b" /etc/apt/sources.list /etc/apt/sources.list.d/*
}

dovecots() {
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'dovecot-*' | sed -n 's/^installed //p'
}

fetch() {  # all of it; but Dovecot 2.3 goes on until all else is there: 2.4 can't read its configuration
  # shellcheck disable=SC2046
  apt update && successors && apt --download-only dist-upgrade $(php) &&
    { [ -z "$(dovecots)" ] || apt-mark hold $(dovecots); }
}

others() {
  # shellcheck disable=SC2046
  apt dist-upgrade $(php)
}

dovecot() {  # masked, as a deploy does it with new packages: the deploy starts it with the configuration of 2.4
  [ -n "$(dovecots)" ] || return 0
  # shellcheck disable=SC2046
  systemctl mask dovecot.service && apt-mark unhold $(dovecots) && apt dist-upgrade
}

port_of() {  # VERSION: the port in the cluster's own file; pg_upgradecluster(1) exchanges those of both
  sed -n "s/^ *port *[= ] *'*\([0-9]*\).*/\1/p" "/etc/postgresql/$1/main/postgresql.conf" | tail -n 1
}

dropped() {  # the new cluster, into which nobody has written: made by the package, or by a move that was killed
  [ ! -d /etc/postgresql/$cluster/main ] || pg_dropcluster --stop $cluster main
  rm -rf /etc/postgresql/$cluster/main /var/lib/postgresql/$cluster/main
}

put_back() {  # PORT: start the old cluster again, as it was before a move that was killed
  dropped
  echo auto > "/etc/postgresql/$cluster_before/main/start.conf"
  pg_conftool "$cluster_before" main set port "$1" && systemctl daemon-reload || return 1
  pg_ctlcluster --skip-systemctl-redirect -m fast "$cluster_before" main stop  # one that lets nobody in
  systemctl start "postgresql@$cluster_before-main"
}

move() {
  if [ ! -e $state/port ]; then
    dropped
    port_of "$cluster_before" > $state/port.new && mv -f $state/port.new $state/port || return 1
  else
    port=$(cat $state/port)
    # the new cluster gets the port last
    if [ "$(port_of $cluster)" = "$port" ] && [ "$(port_of "$cluster_before")" != "$port" ]; then
      systemctl daemon-reload && systemctl start postgresql@$cluster-main
      return
    fi
    put_back "$port" || return 1
  fi
  pg_upgradecluster -v $cluster "$cluster_before" main
}

case $1 in
  packages)
    step always 'complete what is half installed' completed
    step current 'bring Debian 12 up to date' current
    step always 'name the sources of Debian 13' sources  # they may have been put back after a failure
    step fetch 'fetch Debian 13' fetch
    step others 'upgrade all but Dovecot' others
    step dovecot 'upgrade Dovecot' dovecot
    ;;
  cluster)
    [ -z "$cluster_before" ] || [ "$cluster_before" = $cluster ] ||
      step cluster "move the database to PostgreSQL $cluster" move
    ;;
esac
result '[]'
