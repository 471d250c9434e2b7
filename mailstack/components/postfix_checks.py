"""Whether Postfix can run with a configuration, asked before it lies where Postfix reads it."""

from __future__ import annotations

from mailstack.operations.units import restart_if_differs

_STAGED = '"$stage"/etc/postfix'
# with -c alone, postconf of Postfix 3.10 looks for tables below the $config_directory that is running
_POSTCONF = f"postconf -c {_STAGED} -o config_directory={_STAGED}"

# What kind of value a parameter takes is seen from its default; a daemon that finds another one ends at once.
# Of a number only the beginning is looked at: some may be 0.5 or 1/concurrency. Two take more than their
# default says: in Postfix 3.7 smtpd_forbid_bare_newline is "no", and lmtp_tcp_port may be a name.
_VALUES_POSSIBLE = """awk '
function kind(value) {
  if (value ~ /^[0-9]+$/) return "a number"
  if (value ~ /^[0-9]+[smhdw]$/) return "a time, such as 5d"
  if (value ~ /^(yes|no)$/) return "yes or no"
  return ""
}
BEGIN {
  pattern["a number"] = "^[0-9]"; pattern["a time, such as 5d"] = "^[0-9]+[smhdw]?$"
  pattern["yes or no"] = "^([Yy][Ee][Ss]|[Nn][Oo])$"
}
/^$/ { staged = 1; next }
{ name = $1; value = $0; sub(/^[^=]*= */, "", value) }
!staged { wanted[name] = kind(value); next }
wanted[name] && value !~ pattern[wanted[name]] && name !~ /^(smtpd_forbid_bare_newline|lmtp_tcp_port)$/ {
  print "main.cf: " name " = " value ": must be " wanted[name]; bad = 1
}
END { exit bad }' >&2"""

CHECKS = (
    # postconf only warns about a parameter that nothing uses, and that is a misspelt one
    f"said=$({_POSTCONF} -n 2>&1 >/dev/null; {_POSTCONF} -M 2>&1 >/dev/null); "
    '[ -z "$said" ] || { echo "$said" >&2; exit 1; }',
    # what every program of Postfix looks at when it starts, and most of them end for; ``postfix check`` does
    # no more for files that are not in place yet, but then takes its time to look through the queue
    f"postmap -c {_STAGED} -q x static:x >/dev/null",
    f"{{ postconf -dx; echo; {_POSTCONF} -nx; }} | {_VALUES_POSSIBLE}",
    # postconf(5): these are read when Postfix starts, and not by a reload
    restart_if_differs(
        "postfix",
        "postconf -hx inet_interfaces inet_protocols import_environment",
        f"{_POSTCONF} -hx inet_interfaces inet_protocols import_environment",
    ),
)
"""Commands for ``config_files``; ``$stage`` is the root of the staged files."""
