"""Mail that exim4, Debian's default until Postfix replaces it, took and did not deliver: nobody else will."""

from __future__ import annotations

from pyinfra import logger

from mailstack.facts.reading import Probe
from mailstack.run import current_host

_INPUT = "/var/spool/exim4/input"
# a message is two files, NAME-H and NAME-D, maybe in a directory of one letter (split_spool_directory)
_COMMAND = (
    f"if [ -d {_INPUT} ]; then find {_INPUT} -name '*-H' | wc -l;"
    " if [ -x /usr/sbin/exim4 ]; then echo exim4; fi; fi"
)

EXIM_QUEUE: Probe[str] = Probe(lambda _: _COMMAND, (), lambda output: output)
"""How many messages there are, and ``exim4`` as long as that is installed."""


def name_exim_queue(found: str) -> None:
    """Say how many messages Postfix will not deliver; for ``reading.require``, which nothing is wrong for."""
    number, *installed = found.split() or ["0"]
    if int(number) == 0:
        return
    what = f"{number} {'message lies' if number == '1' else 'messages lie'} in exim4's queue ({_INPUT})"
    removed = "installing Postfix removes exim4, so try `exim4 -qff` before"
    advice = removed if installed else "nothing delivers them any more"
    current_host().log_styled(
        f"{what}: {advice}; docs/troubleshooting.md says how Postfix takes them",
        fg="yellow",
        log_func=logger.warning,
    )
