"""A real upgrade from Debian 12 to 13, by the commands of docs/upgrading.md, under traffic."""

from __future__ import annotations

import re
import smtplib
from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.numbered_traffic import watch
from tests.support.sample_accounts import ALICE, BOB, CAROL, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql
PAGE = Path(__file__).parents[3] / "docs/upgrading.md"


def sent(host: Target) -> str | None:
    """Return the Message-ID of a message to Carol, or nothing: between two versions Postfix may say 451."""
    try:
        return clients.send(host, clients.message(STRANGER, CAROL))
    except smtplib.SMTPRecipientsRefused as error:
        assert [code for code, _ in error.recipients.values()] == [451]
        return None


@pytest.mark.parametrize("debian", [12], ids=["debian12"], indirect=True)
def test_the_documented_upgrade_loses_nothing(clone: Factory) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    fetch, upgrade, dovecot, configure, move, tidy = blocks
    host = clone("upgrading")
    read = clients.send(host, clients.message(STRANGER, CAROL))
    assert clients.received(host, CAROL, read)
    host.exec(fetch, timeout=600)
    with watch(host) as watching:
        host.exec(upgrade, timeout=900)
        half = host.exec(dovecot, check=False, timeout=300)
        assert "error processing package dovecot-core" in half.stdout + half.stderr
        queued = clients.eventually(lambda: sent(host), "port 25 takes no mail", 60)
        assert queued
        assert "postfix: daemon-reload, stop postfix@-, start" in deploys.said(
            deploys.run(host, sample_accounts.data())
        )
        host.exec(configure, timeout=200)
        host.exec("systemctl reload postfix")
        host.exec(move, timeout=300)
        deploys.run(host, sample_accounts.data())
        # a login may have begun as Dovecot went: Postfix then says 535, as the page does
        strangers = (answer.text for answer in watching.answers if answer.kind == "25")
        refused = {text[:200] for text in strangers if re.match(r"5\d\d ", text)}
    print({kind: f"{watching.gap(kind):.0f} s away" for kind in ("25", "587", "993")})
    assert not refused
    host.exec(tidy, timeout=300)
    host.stop()
    host.start()
    deploys.assert_converged(host, sample_accounts.data())
    deploys.assert_mail_flows_again(host)
    assert all(clients.received(host, CAROL, each) for each in (read, queued))
    for user in (ALICE, BOB):
        with clients.smtp(host, 587, user):
            pass
    left = "/etc/dovecot/dovecot-sql* /etc/postgresql/15 /etc/systemd/system/p*@*/mailstack.conf"
    found = host.exec(f"dpkg --audit; ls -d {left} 2>/dev/null; true").stdout
    assert found == "/etc/systemd/system/postgresql@17-main.service.d/mailstack.conf\n"
