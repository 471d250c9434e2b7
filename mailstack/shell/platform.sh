#!/bin/sh
# Print the release, and the versions that are or would be installed: platform.sh PACKAGE...
sed -n 's/^VERSION_ID="\{0,1\}\([0-9.]*\).*/release=\1/p; s/^ID=/id=/p' /etc/os-release
# shellcheck disable=SC2016
dpkg-query -W -f '${Package}=${db:Status-Status}=${Version}\n' "$@" || apt-cache policy "$@"
# A kernel may have IPv6 and no loopback address for it. The numbers are Linux's: AF_INET6, SOCK_STREAM, and a
# sockaddr_in6 (ipv6(7)); the modules with their names would take five times as long to load as this to run
perl -e 'socket(S, 10, 1, 0) ? bind(S, pack "S n N a16 N", 10, 0, 0, "\0" x 15 . "\1", 0) || print "ipv6=routed\n"
                             : print "ipv6=none\n";'
# Whether the kernel lets this host have rules of nftables (netlink(7)): it is asked for its generation, which it
# tells only a process with CAP_NET_ADMIN. 12 is NETLINK_NETFILTER, 0xa10 NFT_MSG_GETGEN, and 0xa0f its answer
perl -e 'socket(S, 16, 3, 12) && send(S, pack("LSSLLCCn", 20, 0xa10, 1, 1, 0, 0, 0, 0), 0) && recv(S, $r, 4096, 0);
         print "nftables=none\n" unless unpack("x4S", $r // "") == 0xa0f;' 2>/dev/null
# The machine that runs this by SSH. sudo hides the variable, but not from root
process=$$
while [ "${process:-0}" -gt 1 ]; do
  address=$(tr '\0' '\n' < "/proc/$process/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=\([^ ]*\).*/\1/p')
  if [ "$address" ]; then
    echo "control=$address"
    break
  fi
  process=$(sed -n 's/.*) [A-Z] \([0-9]*\).*/\1/p' "/proc/$process/stat" 2>/dev/null)
done
