"""Facts of pyinfra on the state of a host, for ``pyinfra HOST fact …`` and ``host.get_fact``."""

from mailstack.facts.acme import AcmeState
from mailstack.facts.bans import Bans
from mailstack.facts.certificates import Certificate
from mailstack.facts.dkim import DkimKeys
from mailstack.facts.exim_queue import EximQueue
from mailstack.facts.files import FileStates
from mailstack.facts.firewall import FirewallState
from mailstack.facts.limits import LimitedUsers
from mailstack.facts.packages import InstalledPackages
from mailstack.facts.platform import HostPlatform, PostgresqlClusters
from mailstack.facts.port_owners import NameServers, WebServers
from mailstack.facts.tls_reports import TlsReports
from mailstack.facts.tlsa import TlsaRecords
from mailstack.facts.units import UnitStates
from mailstack.facts.users import SystemUsers

__all__ = [
    "AcmeState",
    "Bans",
    "Certificate",
    "DkimKeys",
    "EximQueue",
    "FileStates",
    "FirewallState",
    "HostPlatform",
    "InstalledPackages",
    "LimitedUsers",
    "NameServers",
    "PostgresqlClusters",
    "SystemUsers",
    "TlsReports",
    "TlsaRecords",
    "UnitStates",
    "WebServers",
]
