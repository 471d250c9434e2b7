"""fail2ban: addresses that guess passwords are shut out of all mail ports.

Dovecot checks every login, those of Postfix too, and writes a line about each wrong one. A program of
mailstack counts different guesses, not attempts; fail2ban reads the journal, bans, and keeps the bans.
"""

from __future__ import annotations

import ipaddress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from pyinfra import logger
from pyinfra.api.exceptions import OperationValueError

from mailstack import run
from mailstack.components import systemd
from mailstack.components.component import Component, Requirement, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import Jail, ServiceProbe
from mailstack.components.dovecot_config import GUESSES, writes_guesses
from mailstack.components.merge import in_order
from mailstack.facts.platform import PLATFORM
from mailstack.files import File
from mailstack.on_host import guesses
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyinfra.api.host import Host

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.settings import Settings

TABLE = "mailstack-bans"
PROGRAM = "/usr/local/lib/mailstack/guesses"
_CONFIGURATION = "/etc/fail2ban"
_RULES = f"{_CONFIGURATION}/mailstack.nft"
_JAIL = f"{_CONFIGURATION}/jail.d/mailstack.conf"
_FILTER = f"{_CONFIGURATION}/filter.d/mailstack.conf"
_ACTION = f"{_CONFIGURATION}/action.d/mailstack.conf"
_FOLLOW = "/etc/systemd/system/nftables.service.d/mailstack-fail2ban.conf"
_TMPFILES = "/etc/tmpfiles.d/mailstack-fail2ban.conf"
_OWN = (_JAIL, _FILTER, _ACTION, _RULES, _FOLLOW, PROGRAM, _TMPFILES)
"""What is removed without ``mail_fail2ban``. fail2ban itself stays, with its jail of SSH."""
_SSH = f"{_CONFIGURATION}/jail.d/00-mailstack-ssh.conf"
_LOOPBACK = ("127.0.0.0/8", "::1")
_NO_NFTABLES = (
    "mail_fail2ban: the kernel lets this host have no rules of nftables, so nobody who guesses passwords is "
    "shut out; mail_fail2ban = False if that is as it should be"
)

_told: WeakSet[Host] = WeakSet()
"""The hosts whose run has said so."""


class Fail2ban(Component):
    """Install fail2ban, and shut out addresses that guess passwords. Without ``mail_fail2ban``, end that.

    Its other jails, those of Debian and of an administrator, go on.
    """

    name = "fail2ban"
    title = "fail2ban"
    switch = ("mail_fail2ban", True)
    reloads = ("fail2ban",)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.here.has_mail

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``: without nftables the run goes on, and says so."""
        return [Requirement(PLATFORM, _tell)] if site.settings.mail_fail2ban else []

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: on Debian 12 fail2ban only recommends what reads the journal."""
        return ("fail2ban", "nftables", "python3-systemd") if writes_guesses(site.settings, platform) else ()

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        settings = site.settings
        if not settings.mail_fail2ban:
            return [File(path, None, activation=None) for path in _OWN]
        if not platform.nftables:
            return ()
        jails = jails_of(site, platform)
        values = {
            "table": TABLE,
            "rules": _RULES,
            "program": PROGRAM,
            "state": guesses.STATE,
            "spared": spared(settings, platform),
            "guesses": settings.mail_fail2ban_guesses,
            "hours": settings.mail_fail2ban_hours,
            "too_many": guesses.TOO_MANY,
            "ports": sorted({port for jail in jails for port in jail.ports}),
            "journal": in_order(jail.journal for jail in jails),
            "lines": in_order([*jail.guesses, *jail.logins] for jail in jails),
        }
        return [
            *systemd.drop_in("fail2ban"),
            File(_SSH, render("fail2ban/ssh.conf", log_file=platform.debian != 13, **values)),
            File(_JAIL, render("fail2ban/jail.conf", **values)),
            File(_FILTER, render("fail2ban/filter.conf", **values)),
            # a reload does not start an action again
            File(_ACTION, render("fail2ban/action.conf", **values), activation="restart"),
            File(_RULES, render("fail2ban/rules.nft", **values), activation="restart"),
            File(_FOLLOW, render("fail2ban/follow.conf"), activation=None),
            File(PROGRAM, _program(), mode=0o755, activation=None),
            File(_TMPFILES, render("fail2ban/tmpfiles.conf", **values), activation=None),
        ]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``."""
        return "" if site.settings.mail_fail2ban else script("end_fail2ban", TABLE, *_OWN)

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [script("validate_fail2ban")] if site.settings.mail_fail2ban else []

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        if not writes_guesses(site.settings, platform):
            return ()
        program, answers = "/usr/bin/fail2ban-server", script("probe_fail2ban", TABLE, PROGRAM)
        sound = script("sound_fail2ban", TABLE)
        return [Unit("fail2ban", program=program, drop_in=True, answers=answers, sound=sound)]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        if not site.settings.mail_fail2ban:
            left = "pyinfra INVENTORY deploy.py removes what is left of it"
            return [ServiceProbe("no jail of mailstack is left", f"[ ! -e {_JAIL} ]", left)]
        if not platform.nftables:
            return ()
        advice = "/var/log/fail2ban.log and journalctl -u fail2ban on the host say more; docs/fail2ban.md"
        title = "fail2ban can shut out an address, and hears of wrong logins"
        return [ServiceProbe(title, script("probe_fail2ban", TABLE, PROGRAM, GUESSES), advice)]


def jails_of(site: Site, platform: Platform) -> list[Jail]:
    """Return the jails of all components of a host.

    Raises ``OperationValueError`` if one believes entries of the journal that any user can write, or its
    lines lack what they must name.
    """
    found = [
        (component.name, jail) for component in site.components for jail in component.jails(site, platform)
    ]
    for name, jail in found:
        if problem := _problem(jail):
            raise OperationValueError(f"jail of {name}: {problem}")
    return [jail for _, jail in found]


def _problem(jail: Jail) -> str | None:
    for entry in jail.journal:
        if not entry.startswith("_SYSTEMD_UNIT="):
            return f"{entry}: any user of the host can write such lines; allowed: _SYSTEMD_UNIT=… first"
    for tag, lines in (("<F-USER>", jail.guesses), ("<F-GOOD>", jail.logins)):
        for line in lines:
            if missing := [each for each in ("<ADDR>", tag) if each not in line]:
                return f"{line}: lacks {missing[0]}"
    return None


def spared(settings: Settings, platform: Platform) -> list[str]:
    """Return the networks that are never banned; of IPv6 none is smaller than a /64, as bans are."""
    given = [
        *_LOOPBACK,
        *(each.replace("[", "").replace("]", "") for each in settings.mail_mynetworks),
        *settings.mail_fail2ban_spared,
        *([platform.control] if platform.control else []),
    ]
    networks = map(ipaddress.ip_network, given)
    wide = (each.supernet(new_prefix=64) if _is_narrow(each) else each for each in networks)
    names = (str(each.network_address if each.num_addresses == 1 else each) for each in wide)
    return [*dict.fromkeys(names)]


def _is_narrow(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return network.version == 6 and network.prefixlen > 64 and not network.is_loopback


def _tell(platform: Platform) -> None:
    host = run.current_host()
    if not platform.nftables and host not in _told:
        _told.add(host)
        host.log_styled(_NO_NFTABLES, fg="yellow", log_func=logger.warning)


@cache
def _program() -> str:
    return Path(guesses.__file__).read_text("utf-8")


FAIL2BAN = Fail2ban()
deploy = deployed(FAIL2BAN)
