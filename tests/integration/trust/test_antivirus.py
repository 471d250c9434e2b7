"""ClamAV: what contains a virus is refused; without signatures, or without clamd, mail waits."""

from __future__ import annotations

import hashlib
import io
import smtplib
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from mailstack import Settings
from mailstack.components.clamav import CLAMAV
from mailstack.facts.platform import RELEASES
from tests.integration.conftest import Factory
from tests.support import clients, dns, trust
from tests.support.deploys import run
from tests.support.sample_accounts import ALICE, BOB
from tests.support.sites import site
from tests.support.trust import Protected, letter, somebody
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

#: EICAR's test file, in two pieces: scanners would find it here too.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" + rb"ANTIVIRUS-TEST-FILE!$H+H*"
DATABASE = "/var/lib/clamav/tests.hdb"
SCANNING = {"mail_antivirus": True}


@pytest.fixture(scope="module")
def scanned(protected: Protected, module_factory: Factory, filtering: str) -> Iterator[Target]:
    """Yield a server with ClamAV, which has no signatures yet: the tests' networks lead nowhere."""
    server = module_factory("scanned", image=filtering)
    # the package of Debian 13 would try to download some, for 40 seconds
    server.exec("systemctl mask clamav-freshclam-once")
    server.pyinfra("-y", "deploy.py", data=trust.data(**SCANNING), timeout=900).check()
    dns.use(server, protected.dns)
    yield server


def infected(sender: str, data: bytes = EICAR, name: str = "invoice.bin") -> EmailMessage:
    """Return a message with that file, or another one, as an attachment."""
    mail = letter(sender, BOB)
    mail.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return mail


def zipped(data: bytes, levels: int = 1, copies: int = 1) -> bytes:
    """Return an archive of copies of a file, or of such archives, and so on.

    Each copy ends otherwise, as a scanner knows what it has seen.
    """
    for _ in range(levels):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            kind = "zip" if data[:2] == b"PK" else "bin"
            for number in range(copies):
                archive.writestr(f"{number}.{kind}", data + b"%d" % number if number else data)
        data = made.getvalue()
    return data


def send(server: Target, mail: EmailMessage) -> str:
    """Send as Alice, who logs in."""
    return clients.send(server, mail, sender=ALICE, port=587, user=ALICE)


def refused(server: Target, mail: EmailMessage, *, user: bool) -> str:
    """Return the answer by which a message is refused, from Alice or from a stranger."""
    with pytest.raises(smtplib.SMTPDataError) as error:
        if user:
            send(server, mail)
        else:
            clients.send(server, mail, sender=str(mail["From"]))
    return f"{error.value.smtp_code} {error.value.smtp_error!r}"


def answer(server: Target, mail: EmailMessage) -> str:
    """Return the answer to a message of Alice, for which a scan may take long."""
    with clients.smtp(server, 587, ALICE) as session:
        assert session.sock
        session.sock.settimeout(120)
        try:
            session.send_message(mail, ALICE, [BOB])
        except smtplib.SMTPDataError as error:
            return f"{error.smtp_code} {error.smtp_error!r}"
    return "250"


def answers(server: Target) -> bool:
    (probe,) = CLAMAV.probes(site(Settings.from_data(trust.data(**SCANNING))), RELEASES[1])
    return server.exec(probe.script, check=False).returncode == 0


def test_without_signatures_mail_waits(scanned: Target) -> None:
    assert run(scanned, trust.data(**SCANNING)).changed == []
    assert not answers(scanned)
    assert refused(scanned, letter(ALICE, BOB), user=True).startswith("451 ")


def test_it_begins_once_there_are_some(scanned: Target) -> None:
    signature = f"{hashlib.md5(EICAR).hexdigest()}:{len(EICAR)}:Tests.Eicar\n"
    scanned.write(DATABASE, signature.encode())
    clients.eventually(lambda: answers(scanned), "clamd does not answer", 60)
    assert run(scanned, trust.data(**SCANNING)).changed == []
    clients.received(scanned, BOB, send(scanned, letter(ALICE, BOB)))


def test_a_virus_is_refused(scanned: Target) -> None:
    for user, sender in ((True, ALICE), (False, somebody(trust.REJECT))):
        said = refused(scanned, infected(sender), user=user)
        assert said.startswith("554 ") and "5.7.1" in said and "Tests.Eicar" in said


def test_a_large_message_is_scanned(scanned: Target) -> None:
    mail = infected(ALICE)
    # encoded, it is more than the 25 MiB that clamd takes by default
    mail.add_attachment(b"\0" * 20 * 1024 * 1024, maintype="application", subtype="octet-stream")
    said = answer(scanned, mail)
    assert said.startswith("554 ") and "Tests.Eicar" in said


def bombs() -> dict[str, bytes]:
    """Return archives with more than ClamAV looks at."""
    return {
        "a gigabyte of zeros": zipped(b"\0" * (50 << 20), copies=20),
        "a hundred levels": zipped(b"x", levels=100),
        "30,000 files": zipped(b"x", copies=30_000),
        "65,536 files in 4,369 archives": zipped(b"x", levels=4, copies=16),
    }


def test_a_virus_in_archives_in_archives_is_refused(scanned: Target) -> None:
    said = answer(scanned, infected(ALICE, zipped(EICAR, 5), "invoice.zip"))
    assert said.startswith("554 ") and "Tests.Eicar" in said


def test_an_archive_that_is_too_expensive_keeps_no_other_mail(scanned: Target) -> None:
    """It is taken or refused for good, and the same process goes on to find what it found."""
    process = scanned.exec("pidof clamd").stdout
    for name, archive in bombs().items():
        assert answer(scanned, infected(ALICE, archive, "invoice.zip"))[:3] in ("250", "554"), name
    assert answer(scanned, infected(ALICE)).startswith("554 ")
    assert scanned.exec("pidof clamd").stdout == process


def test_a_killed_clamd_comes_back(scanned: Target) -> None:
    scanned.exec("systemctl kill -s KILL clamav-daemon")
    clients.eventually(lambda: answers(scanned), "clamd did not come back", 60)
    assert refused(scanned, infected(ALICE), user=True).startswith("554 ")


def test_while_it_hangs_mail_waits(scanned: Target) -> None:
    """rspamd gives up after 30 seconds."""
    mail = letter(ALICE, BOB)
    scanned.exec("systemctl kill -s STOP clamav-daemon")
    try:
        assert answer(scanned, mail).startswith("451 ")
    finally:
        scanned.exec("systemctl kill -s CONT clamav-daemon")
    clients.eventually(lambda: answers(scanned), "clamd does not answer", 60)
    clients.received(scanned, BOB, send(scanned, mail))


def test_without_it_mail_waits_or_passes(scanned: Target) -> None:
    stop = "systemctl stop clamav-daemon.socket clamav-daemon"
    scanned.exec(stop)
    said = refused(scanned, letter(ALICE, BOB), user=True)
    assert said.startswith("451 ") and "virus scanner" in said
    run(scanned, trust.data(**SCANNING, mail_antivirus_unavailable="pass"))
    clients.eventually(lambda: answers(scanned), "no run starts clamd", 60)
    scanned.exec(stop)
    message_id = clients.eventually(lambda: taken(scanned), "mail waits on", 60)
    clients.received(scanned, BOB, message_id or "")


def taken(server: Target) -> str | None:
    """Return the Message-ID of a message, once one is taken: a process of rspamd may still have to end."""
    try:
        return send(server, letter(ALICE, BOB))
    except smtplib.SMTPDataError as error:
        assert error.smtp_code == 451
        return None
