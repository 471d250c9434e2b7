"""Change of the key of the server's certificate, as receivers that check by DANE know the key from the DNS.

.. code:: shell

    pyinfra INVENTORY fact mailstack.facts.TlsaRecords    # the keys, also the next: both belong into the DNS
    pyinfra INVENTORY mailstack.certificates.roll         # use the next key, and make another next one

The next key is made by the first deploy, so that the DNS can have it for as long as it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, Unpack, cast

from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import true_or_false
from mailstack.components.acme_files import SCRIPT
from mailstack.components.tls import CERTIFICATE, KEY, TLS
from mailstack.facts.certificates import Certificate
from mailstack.facts.reading import read
from mailstack.facts.tlsa import TlsaKey, TlsaRecords
from mailstack.operation import operation, refused_by, warn_once
from mailstack.operations.sql import deployed_with
from mailstack.settings import Settings
from mailstack.shell import shell

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.operation import OperationMeta

    from mailstack.deploys import GlobalArguments

_KNOWN_AFTER = timedelta(days=1)
"""The time after which receivers know the next key, at the usual lifetimes of records, and with a reserve."""


class _Roll(Protocol):
    """An operation with one option. pyinfra's own type of an operation takes none by position."""

    def __call__(self, now: bool = False, **global_arguments: Unpack[GlobalArguments]) -> OperationMeta:
        """See the operation."""


def _operation(function: Callable[[bool], Generator[PyinfraCommand]]) -> _Roll:
    return refused_by(_checked)(cast("_Roll", operation(function)))


def _checked(now: bool = False) -> None:
    true_or_false(now=now)


@_operation
def roll(now: bool = False) -> Generator[PyinfraCommand]:
    """Use the next key of the certificate, and make another next one.

    + now: whether to use one that is younger than a day, which the DNS of receivers may not have yet

    Raises ``OperationValueError`` if the settings give the certificate, and so its key.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.certificates.roll
    """
    _checked(now)
    settings = deployed_with() or Settings.from_data(host.data)
    if settings.mail_tls_certificate is not None:
        raise OperationValueError("mail_tls_certificate is set, and with it the key: give the next one there")
    if not hosts.topology().here.has_mail:
        host.noop("the certificate is on the host with the mail server")
        return
    keys = read(TlsaRecords.of())
    if "next" not in keys:
        raise OperationError("there is no next key; a deploy makes it")
    if not now and (wait := _waits(_youngest(keys, rsa=settings.mail_acme_rsa), datetime.now(UTC))):
        warn_once(wait)
        host.noop("the next key is too young")
        return
    if settings.mail_acme:
        yield shell(f"{SCRIPT} roll")
        return
    if not read(Certificate.of(settings.mail_hostname, CERTIFICATE, KEY)).self_signed:
        raise OperationError(
            f"the certificate of {settings.mail_hostname} is of a CA, and this host can't ask it for another"
        )
    (own,) = TLS.self_signed(settings)
    make = own._replace(units=()).script("roll")
    yield shell(f"{make}\nsystemctl try-reload-or-restart {' '.join(TLS.reloads)}")


def _youngest(keys: Mapping[str, TlsaKey], *, rsa: bool) -> TlsaKey:
    """Return the youngest of the next keys, which are all used together. Those for RSA may be of before."""
    names = ("next", "next-rsa") if rsa else ("next",)
    return max((keys[name] for name in names if name in keys), key=lambda key: key.since)


def _waits(key: TlsaKey, now: datetime) -> str | None:
    """Return why a key should not be used yet, or ``None``."""
    after = key.since + _KNOWN_AFTER
    if after <= now:
        return None
    return (
        f"the next key was made on {key.since:%Y-%m-%d %H:%M} UTC; it is used from {after:%Y-%m-%d %H:%M} "
        "UTC on, when its record in the DNS is known; the option now does not wait"
    )
