#!/bin/sh
# Print what decides whether a host can be upgraded, as NAME=VALUE: upgrade_look.sh
# It changes nothing. `sed` takes the last number of `du`, in KiB.
state=/var/lib/mailstack/upgrade
of_release() { sed -n "s/^$1=//p" /etc/os-release | tr -d '"'; }
echo "system=$(of_release ID) $(of_release VERSION_ID)"
[ ! -e $state/begun ] || [ -e $state/ended ] || echo begun=yes
apt-mark showhold | sed 's/^/held=/'
dpkg --audit | sed -n 's/^ \([^ ]*\) .*/unfinished=\1/p'
apt-get indextargets --format "source=\$(ORIGIN)|\$(CODENAME)|\$(SITE)" 'Created-By: Packages' | sort -u
grep -qs '^[^#]*\bbookworm\b' /etc/apt/sources.list /etc/apt/sources.list.d/* || echo unnamed=yes
for file in /etc/apt/preferences /etc/apt/preferences.d/*; do
  grep -qs '^Pin:' "$file" && echo "pin=$file"
done
apt-config dump APT::Default-Release | grep -q '"..*"' && echo 'pin=APT::Default-Release (apt-config dump)'
# shellcheck disable=SC2016
dpkg-query -W -f '${Installed-Size}\n' | awk '{ sum += $1 } END { printf "installed=%d\n", sum }'
echo "database=$(du -sk /var/lib/postgresql 2>/dev/null | cut -f 1)"
for path in /usr /var/cache/apt/archives /var/lib/postgresql /boot; do
  [ -d "$path" ] && df -k --output=target,avail "$path" | sed -n "2s#^#room=$path #p"
done
exit 0
