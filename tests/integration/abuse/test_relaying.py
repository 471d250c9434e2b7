"""Forms of an address by which a stranger has another server's mail relayed: each is refused for good."""

from __future__ import annotations

from tests.support import clients
from tests.support.raw_smtp import Dialogue, dialogue
from tests.support.sample_accounts import REMOTE
from tests.targets.containers import Target

HERE, OURS, OTHER = "mail.example.org", "example.org", "example.com"
SENDERS = {
    "a stranger": "MAIL FROM:<stranger@remote.example.net>",
    "nobody": "MAIL FROM:<>",
    "a sender of ours": f"MAIL FROM:<alice@{OURS}>",
    "the host": f"MAIL FROM:<root@{HERE}>",
    "the host without a domain": "MAIL FROM:<root>",
    "a source route": f"MAIL FROM:<@{HERE}:stranger@{REMOTE}>",
    "an address of the host": "MAIL FROM:<x@[127.0.0.1]>",
    "a user in AUTH": f"MAIL FROM:<stranger@{REMOTE}> AUTH=<alice@{OURS}>",
    "a percent": f"MAIL FROM:<stranger%{REMOTE}@{HERE}>",
}
RECIPIENTS = {
    "another server": f"v@{REMOTE}",
    "another server, with a dot": f"v@{REMOTE}.",
    "another server, in capitals": f"V@{REMOTE.upper()}",
    "another server, with a detail": f"v+alice@{REMOTE}",
    "another domain of another server": f"v@{OURS}.{REMOTE}",
    "a domain below ours": f"v@{REMOTE}.{OURS}",
    "a domain below the host": f"v@{REMOTE}.{HERE}",
    "its address": "v@[198.51.100.7]",
    "its address of IPv6": "v@[IPv6:2001:db8::7]",
    "its address as a number": "v@[3325256711]",
    "its address without brackets": "v@198.51.100.7",
    "percent": f"v%{REMOTE}@{OURS}",
    "percent, another domain": f"v%{REMOTE}@{OTHER}",
    "percent, the host": f"v%{REMOTE}@{HERE}",
    "percent, localhost": f"v%{REMOTE}@localhost",
    "percent, loopback": f"v%{REMOTE}@[127.0.0.1]",
    "percent, no domain": f"v%{REMOTE}",
    "percent and a dot": f"v%{REMOTE}@{OURS}.",
    "two percents": f"v%{REMOTE}%{OURS}@{HERE}",
    "percent in quotes": f'"v%{REMOTE}"@{OURS}',
    "percent in quotes, no domain": f'"v%{REMOTE}"',
    "percent behind a detail": f"alice+v%{REMOTE}@{HERE}",
    "an at sign in quotes": f'"v@{REMOTE}"@{OURS}',
    "an at sign in quotes, the host": f'"v@{REMOTE}"@{HERE}',
    "an at sign in quotes, localhost": f'"v@{REMOTE}"@localhost',
    "an at sign in quotes, loopback": f'"v@{REMOTE}"@[127.0.0.1]',
    "an at sign in quotes, no domain": f'"v@{REMOTE}"',
    "an escaped at sign": f"v\\@{REMOTE}@{OURS}",
    "an escaped at sign, no domain": f"v\\@{REMOTE}",
    "two at signs": f"v@{REMOTE}@{OURS}",
    "two at signs, ours first": f"alice@{OURS}@{REMOTE}",
    "an at sign at the end": f"v@{REMOTE}@",
    "a route by us": f"@{HERE}:v@{REMOTE}",
    "a route by our domain": f"@{OURS}:v@{REMOTE}",
    "a route by two": f"@{OURS},@{OTHER}:v@{REMOTE}",
    "a route by loopback": f"@[127.0.0.1]:v@{REMOTE}",
    "a route by localhost": f"@localhost:v@{REMOTE}",
    "a route by another server": f"@{REMOTE}:v@{OURS}",
    "a route of percents": f"@{HERE}:v%{REMOTE}",
    "UUCP": f"{REMOTE}!v",
    "UUCP by us": f"{HERE}!{REMOTE}!v",
    "UUCP at our domain": f"{REMOTE}!v@{OURS}",
    "UUCP at the host": f"{REMOTE}!v@{HERE}",
    "UUCP at loopback": f"{REMOTE}!v@[127.0.0.1]",
    "UUCP in quotes": f'"{REMOTE}!v"@{OURS}',
    "UUCP and percent": f"{REMOTE}!v%{HERE}@{OURS}",
    "DECnet": f"{REMOTE}::v",
    "DECnet at our domain": f"{REMOTE}::v@{OURS}",
    "X.400": f"/C=x/PN=v/@{REMOTE}",
    "a comment": f"v(@{OURS})@{REMOTE}",
    "a name before it": f'"alice@{OURS}" <v@{REMOTE}>',
    "an address in the address": f"alice@{OURS}<v@{REMOTE}>",
    "two addresses": f"alice@{OURS}>,<v@{REMOTE}",
    "a space between": f"alice@{OURS} v@{REMOTE}",
    "a comma between": f"alice@{OURS},v@{REMOTE}",
    "a tab before the domain": f"v@\t{REMOTE}",
    "a NUL before our domain": f"v@{REMOTE}\0.{OURS}",
    "a bare CR before our domain": f"v@{REMOTE}\r.{OURS}",
    "a pipe": f"|mail v@{REMOTE}@{HERE}",
    "an include": f":include:/tmp/{REMOTE}@{HERE}",
    "a postmaster elsewhere": f"postmaster@{REMOTE}",
    "SRS of another": f"SRS0=AAAA=AA={REMOTE}=v@{OURS}",
    "SRS of another, the host": f"SRS0=AAAA=AA={REMOTE}=v@{HERE}",
    "SRS of two": f"SRS1=AAAA={OTHER}==AAAA=AA={REMOTE}=v@{HERE}",
    "VERP": f"alice+v={REMOTE}@{HERE}",
}
#: What a client says before, to be taken for another.
GREETINGS = {
    "the host's name": [f"EHLO {HERE}"],
    "localhost": ["EHLO localhost"],
    "loopback": ["HELO [127.0.0.1]"],
    "XCLIENT": ["EHLO x.example", "XCLIENT ADDR=127.0.0.1 NAME=localhost LOGIN=alice@example.org"],
    "XFORWARD": ["EHLO x.example", "XFORWARD ADDR=127.0.0.1 NAME=localhost PROTO=ESMTP"],
    "a login": ["EHLO x.example", "AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHg="],
}
#: Fewer than the errors after which Postfix waits before each answer.
EACH = 8


def answers(connection: Dialogue, sender: str, recipients: dict[str, str]) -> dict[str, int]:
    """Return the code for each recipient of one message."""
    commands = [sender, *(f"RCPT TO:<{address}>" for address in recipients.values())]
    codes = [connection.code(f"{command}\r\n".encode()) for command in commands]
    connection.code(b"RSET\r\n")
    return dict(zip(recipients, codes[1:], strict=True))


def relayed(found: dict[str, int]) -> dict[str, int]:
    """Return what was not refused for good. 0: the server has hung up."""
    return {name: code for name, code in found.items() if code // 100 != 5}


def test_every_form_of_a_recipient(server: Target) -> None:
    assert len(RECIPIENTS) > 60
    address, names, found = server.ip, list(RECIPIENTS), {}
    for first in range(0, len(names), EACH):
        some = {name: RECIPIENTS[name] for name in names[first : first + EACH]}
        with dialogue(address, greeted=True) as connection:
            found.update(answers(connection, SENDERS["a stranger"], some))
    assert relayed(found) == {}
    clients.wait_for_empty_queue(server)


def test_every_form_of_a_sender(server: Target) -> None:
    address = server.ip
    some = {name: RECIPIENTS[name] for name in ("another server", "percent", "an at sign in quotes")}
    for name, sender in SENDERS.items():
        with dialogue(address, greeted=True) as connection:
            assert relayed(answers(connection, sender, some)) == {}, name


def test_every_greeting(server: Target) -> None:
    address = server.ip
    for name, greeting in GREETINGS.items():
        with dialogue(address) as connection:
            connection.say(b"", *(f"{command}\r\n".encode() for command in greeting))
            some = {"another server": RECIPIENTS["another server"]}
            assert relayed(answers(connection, SENDERS["a stranger"], some)) == {}, name
