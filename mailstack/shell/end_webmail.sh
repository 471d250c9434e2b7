#!/bin/sh
# end_webmail.sh FILE: the web server no longer serves webmail, which this file makes it do
if [ -e "$1" ]; then
  rm -f "$1"
  ! systemctl cat nginx >/dev/null 2>&1 || systemctl try-reload-or-restart nginx
fi
