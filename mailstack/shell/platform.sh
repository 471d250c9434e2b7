#!/bin/sh
# Print the Debian release, and the versions that are or would be installed: platform.sh PACKAGE...
sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/debian=\1/p; s/^ID=/id=/p' /etc/os-release
# shellcheck disable=SC2016
dpkg-query -W -f '${Package}=${db:Status-Status}=${Version}\n' "$@" || apt-cache policy "$@"
# A kernel may have IPv6 and no loopback address for it. The numbers are Linux's: AF_INET6, SOCK_STREAM, and a
# sockaddr_in6 (ipv6(7)); the modules with their names would take five times as long to load as this to run
perl -e 'socket(S, 10, 1, 0) ? bind(S, pack "S n N a16 N", 10, 0, 0, "\0" x 15 . "\1", 0) || print "ipv6=routed\n"
                             : print "ipv6=none\n";'
