#!/bin/sh
# Go to a directory below one that another user owns, who could put a link there, to anywhere and at any moment.
# It defines a function for scripts that come after it.

enter() {  # PATH: a link is followed only if root has made it, such as one to another disk
  cd / || return
  rest=$1/
  while [ "$rest" ]; do
    part=${rest%%/*} rest=${rest#*/} above=$(pwd)
    [ "$part" ] || continue
    if [ -L "./$part" ]; then
      case $(stat -c %u "./$part") in
        0 | "$(id -u)")
          part=$(readlink "./$part") || return
          case $part in /*) cd / || return ;; esac
          rest=$part/$rest  # on the way to where it leads, there may be links of others
          continue ;;
      esac
    fi
    cd -P "./$part" || return
    case $part in . | ..) continue ;; esac
    [ "$(pwd)" = "${above%/}/$part" ] && continue
    printf '%s/%s is a symbolic link that root has not made: remove it\n' "${above%/}" "$part" >&2
    return 1
  done
}
