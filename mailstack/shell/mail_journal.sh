#!/bin/sh
# Print what the mail services have in the journal, packed: mail_journal.sh SINCE PATTERN
# PATTERN (grep -E) is that of the lines that are wanted.
# By _SYSTEMD_UNIT, which journald itself sets: any user of the host can log as "postfix/smtpd".
pattern=$2
set -- --since="$1" _SYSTEMD_UNIT=postfix.service _SYSTEMD_UNIT=postfix@-.service \
  _SYSTEMD_UNIT=dovecot.service _SYSTEMD_UNIT=rspamd.service
journalctl --quiet --no-pager --all --output=short-unix --no-hostname "$@" | grep -aE -- "$pattern" | gzip -1 | base64 -w0
