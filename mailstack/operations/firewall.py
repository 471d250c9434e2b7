"""The rules of the firewall, kept only if a new connection to the host gets through."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from pyinfra.api.exceptions import OperationError

from mailstack.facts.firewall import FIREWALL_STATE, PROGRAM
from mailstack.facts.reading import announce, read
from mailstack.operation import local_command
from mailstack.operations.stages import Change
from mailstack.run import current_host, run_script, run_script_anew
from mailstack.shell import shell

_WITHIN = 40
"""The seconds for a new connection, and for an answer: less than the host waits."""


class FirewallRules(NamedTuple):
    """The rules that a run has written, loaded by the program on the host.

    They are on trial first: the host takes them back by itself, unless a new connection says that they may
    stay.
    """

    program: str = PROGRAM

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(FIREWALL_STATE)

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        difference = read(FIREWALL_STATE).difference
        if difference is None:
            return ()
        return (
            Change([f"firewall: {difference}: load its rules on trial"], shell(f"{self.program} try")),
            Change(["firewall: keep them, by a new connection"], local_command(self._keep)),
        )

    def _keep(self) -> None:
        """Keep the rules by a new connection, or take them back by this one."""
        host = current_host()
        try:
            said = run_script_anew(host, f"{self.program} keep", _WITHIN)
        except OperationError as error:
            reason = str(error)
        else:
            if said.succeeded:
                return
            reason = " ".join(said.errors.split()) or "the host did not keep them"
        with suppress(OperationError):  # if this connection is cut too, the host does so by itself
            run_script(host, f"{self.program} back", _WITHIN)
        raise OperationError(
            f"firewall: with these rules, no new connection gets through ({reason}), so the ones before are "
            "back; allowed: rules that let the machine that runs pyinfra connect, see "
            "mail_firewall_ssh_clients and mail_firewall_ports"
        )

    def tell(self) -> None:
        """See ``Completed.tell``: there is nothing to say."""
