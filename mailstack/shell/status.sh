#!/bin/sh
# Print facts about a host for `mailstack.status`: status.sh STORE KEYS PATH...
# STORE is the directory of the mail, empty if there is none; KEYS that of the DKIM keys, empty too; PATHs are places
# whose disks matter. Each part begins with a form feed and its name.
store=$1 keys=$2
shift 2

part() {  # NAME
  printf '\f%s\n' "$1"
}

part now
date +%s
part failed
timeout 20 systemctl list-units --state=failed --all --plain --no-legend 'mailstack-*'
part disks
for path; do
  said=$(timeout 10 df -B1 --output=size,avail,itotal,iavail,target "$path")
  case $? in
    0) printf '%s\n' "$said" | tail -n 1 ;;
    124) printf '? ? ? ? %s\n' "$path" ;;  # such as a file server that is away
  esac
done
if [ "$store" ]; then
  part store
  timeout 5 du -sk "$store" | cut -f 1  # nothing if it takes longer
  part queue
  timeout 30 postqueue -j && echo whole
  part rescued  # messages that mailstack.queue.rescue has taken out of the queue, and not yet put into another
  find /var/spool/postfix/mailstack-rescue -type f ! -path '*/bounce*' ! -path '*/trace*' ! -name 'sent*' | wc -l
fi
if [ "$keys" ] && cd "$keys"; then
  part keys
  timeout 10 stat -c '%Y %n' ./*/rsa[0-9]*.key ./*/ed[0-9]*.key
  part signing  # also keys that somebody else has put there, and whether rspamd can read them
  # shellcheck disable=SC2016
  look='[ -r "${key%/*}/current" ] && [ -s "$key" ] && [ -r "$key" ] && echo "yes $key" || echo "no $key"'
  for file in ./*/current; do
    while read -r selector; do echo "${file%/current}/$selector.key"; done < "$file"
  done | timeout 20 setpriv --reuid=_rspamd --regid=_rspamd --init-groups sh -c "while read -r key; do $look; done"
fi
cd /var/lib/mailstack || exit 0
part deployed
stat -c %Y stage  # apply.sh makes it when it changes files
for name in dns-check verify backup backup-password restore; do
  part "$name"
  cat "$name.json"
done
