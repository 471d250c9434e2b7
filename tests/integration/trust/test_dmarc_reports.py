"""DMARC's aggregate reports, which the domains of senders ask for."""

from __future__ import annotations

import gzip
import re
from email import message_from_bytes

import pytest

from mailstack.components.declarations import Record
from tests.support import clients, trust
from tests.support.deploys import changed, run
from tests.support.sample_accounts import BOB, HOSTNAME
from tests.support.temporary_users import PASSWORD, guests
from tests.support.trust import Protected, letter, signers, somebody

pytestmark = pytest.mark.postgresql

#: In a real top-level domain: `rspamadm dmarc_report` of 3.12 fails for one that it does not know.
CURIOUS = "example.net"
#: As in docs/spam.md.
SEND = "systemctl start mailstack-reports@$(date -u +%Y%m%d)"


def test_a_domain_that_asks_for_reports_gets_them(protected: Protected) -> None:
    server, settings = protected.server, trust.data(mail_dmarc_reports=True)
    with guests(server, "reports") as (reader,):
        domain = reader.partition("@")[2]
        asks = [
            Record(f"_dmarc.{CURIOUS}", "TXT", f'"v=DMARC1; p=none; rua=mailto:{reader}"'),
            # that it wants reports of others (RFC 7489, 7.1)
            Record(f"{CURIOUS}._report._dmarc.{domain}", "TXT", '"v=DMARC1"'),
            Record(CURIOUS, "MX", "10 remote.example.net."),
        ]
        protected.serve("example.org", "example.com", more=asks)
        run(server, settings)
        try:
            server.exec("systemctl restart rspamd")  # a reload takes some seconds
            sender = somebody(CURIOUS)
            clients.send(server, letter(sender, BOB), sender=sender)
            assert server.exec("systemctl is-active mailstack-reports").stdout == "active\n"
            server.exec(SEND)
            sent = server.exec("journalctl -o cat -t mailstack-reports -n 5")

            def arrived() -> bytes | None:
                with clients.imap(server, reader, password=PASSWORD) as session:
                    found = session.search(None, "SUBJECT", CURIOUS)[1][0].split()
                    return session.fetch(found[0].decode(), "(BODY.PEEK[])")[1][0][1] if found else None  # type: ignore[index,return-value]

            message = clients.eventually(arrived, f"no report came: {sent.stdout}", 60)
            assert message is not None
            assert {each.partition("@")[2] for each in signers(message)} == {HOSTNAME}
            (report,) = [
                gzip.decompress(part.get_payload(decode=True)).decode()  # type: ignore[arg-type]
                for part in message_from_bytes(message).walk()
                if part.get_content_type() == "application/gzip"
            ]
            assert re.search(rf"<domain>{CURIOUS}</domain>", report)
            assert "<source_ip>" in report and BOB not in report
            assert changed(run(server, settings)) == []
        finally:
            run(server, trust.data())
            protected.serve("example.org", "example.com")
            server.exec("systemctl disable --now mailstack-reports; systemctl restart rspamd")
