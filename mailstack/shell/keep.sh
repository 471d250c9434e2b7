#!/bin/sh
# keep PATH: copy the file below /var/lib/mailstack/found, unless mailstack wrote it.
# The copy is made once, at the same path, and never changed.
keep() {
  found=${MAILSTACK_ROOT:-}/var/lib/mailstack/found$1
  [ -f "${MAILSTACK_ROOT:-}$1" ] && [ ! -e "$found" ] || return 0
  ! grep -q 'Written by mailstack' "${MAILSTACK_ROOT:-}$1" || return 0
  mkdir -p "${found%/*}" &&
    cp -pL "${MAILSTACK_ROOT:-}$1" "$found.new" &&
    mv -fT "$found.new" "$found"
}
