"""Commands that no honest client sends over SMTP, in tables for `test_bad_smtp.py`."""

from __future__ import annotations

from tests.support.sample_accounts import REMOTE

HELLO = b"EHLO remote.example.net\r\n"
MAIL = (b"MAIL FROM:<stranger@remote.example.net>", 250)
MAIL_ALICE = (b"MAIL FROM:<alice@example.org>", 250)
RCPT = (b"RCPT TO:<alice@example.org>", 250)
DATA = (b"DATA", 354)
NO_RCPT = (b"RCPT TO:<unknown@example.org>", 550)

Steps = list[tuple[bytes, int]]


def to(recipient: str | bytes, code: int) -> Steps:
    """Return a good sender, and this recipient."""
    address = recipient if isinstance(recipient, bytes) else recipient.encode()
    return [MAIL, (b"RCPT TO:" + address, code)]


#: Commands of a stranger after EHLO, and the codes of the answers. 0: the server hangs up.
MALFORMED: dict[str, Steps] = {
    # in the wrong order
    "RCPT before MAIL": [(RCPT[0], 503)],
    "DATA before MAIL": [(b"DATA", 503)],
    "DATA without RCPT": [MAIL, (b"DATA", 554)],
    "DATA after a refused RCPT": [MAIL, NO_RCPT, (b"DATA", 554)],
    "MAIL twice": [MAIL, (MAIL[0], 503)],
    "EHLO ends a transaction": [MAIL, RCPT, (b"EHLO remote.example.net", 250), (b"DATA", 503)],
    "RSET ends a transaction": [MAIL, RCPT, (b"RSET", 250), (b"DATA", 503)],
    # no commands
    "nothing": [(b"", 500)],
    "spaces": [(b"   ", 500)],
    "no word": [(b"\x01\x02\x03", 221)],
    "a letter of another script": [("МAIL FROM:<a@b.example>".encode(), 221)],
    "HTTP": [(b"GET / HTTP/1.1", 221)],
    "a proxy": [(b"CONNECT 192.0.2.1:25 HTTP/1.1", 221)],
    "a header": [(b"Subject: hello", 221)],
    "VRFY": [(b"VRFY alice", 502)],
    "EXPN": [(b"EXPN team", 500)],
    "TURN": [(b"TURN", 500)],
    "SOML": [(b"SOML FROM:<a@b.example>", 500)],
    "ETRN of ours": [(b"ETRN example.org", 459)],
    "ETRN of nobody": [(b"ETRN ;id", 501)],
    "XCLIENT": [(b"XCLIENT ADDR=127.0.0.1", 550)],
    "XFORWARD": [(b"XFORWARD ADDR=127.0.0.1", 550)],
    "AUTH": [(b"AUTH PLAIN AGEAYg==", 503)],
    # arguments
    "EHLO nobody": [(b"EHLO", 501)],
    "HELO nobody": [(b"HELO", 501)],
    "HELO with SQL": [(b"HELO ' OR 1=1 --", 250), MAIL, (RCPT[0], 501)],
    "MAIL of nothing": [(b"MAIL", 501)],
    "MAIL without FROM": [(b"MAIL <a@b.example>", 501)],
    "MAIL without brackets": [(b"MAIL FROM:a@b.example", 501)],
    "RCPT without brackets": [MAIL, (b"RCPT TO:alice@example.org", 501)],
    "RCPT to nobody": to("<>", 501),
    "a parameter of MAIL": [(b"MAIL FROM:<a@b.example> FOO=bar", 555)],
    "a parameter of RCPT": to("<alice@example.org> FOO=bar", 555),
    "text after the address": to("<alice@example.org> and Bob", 555),
    "SIZE is no number": [(b"MAIL FROM:<a@b.example> SIZE=big", 501)],
    "SIZE below zero": [(b"MAIL FROM:<a@b.example> SIZE=-1", 501)],
    "SIZE beyond all numbers": [(b"MAIL FROM:<a@b.example> SIZE=" + b"9" * 40, 552)],
    "BODY is none": [(b"MAIL FROM:<a@b.example> BODY=9BIT", 555)],
    "SMTPUTF8 is not offered": [("MAIL FROM:<jörg@b.example> SMTPUTF8".encode(), 555)],
    "NOTIFY in contradiction": to("<alice@example.org> NOTIFY=NEVER,SUCCESS", 501),
    "ORCPT is no xtext": to("<alice@example.org> ORCPT=rfc822;a+zz", 501),
    "RET is none": [(b"MAIL FROM:<a@b.example> RET=ALL", 501)],
    "STARTTLS with an argument": [(b"STARTTLS now", 501)],
    # addresses that are none
    "the bracket is open": to("<alice@example.org", 501),
    "the quote is open": to('<"alice@example.org>', 501),
    "the quote is closed alone": to('<alice"@example.org>', 501),
    "no local part": to("<@example.org>", 501),
    "no domain": to("<alice@>", 501),
    "only an @": to("<@>", 501),
    "two addresses": to("<alice@example.org,bob@example.org>", 501),
    "a list": to("<alice@example.org>,<bob@example.org>", 501),
    "a space inside": to("<alice smith@example.org>", 501),
    "dots": to("<alice..smith@example.org>", 550),
    "a dot in front": to("<.alice@example.org>", 550),
    "two domains": to("<alice@example.org@example.org>", 554),
    "a literal of ours": to("<alice@[127.0.0.1]>", 550),
    "a literal that is none": to("<alice@[300.0.0.1]>", 501),
    "a literal of IPv6 that is none": to("<alice@[IPv6:::zz]>", 501),
    "a number for a domain": to("<alice@2130706433>", 501),
    "a route to elsewhere": to(f"<@example.org,@example.com:someone@{REMOTE}>", 554),
    "a route in a route": to("<@a.example:@b.example:alice@example.org>", 501),
    # SQL, and what daemons expand
    "SQL in RCPT": to("<'OR'1'='1@example.org>", 550),
    "SQL with a comment": to('<"\'; DROP TABLE mail_users; --"@example.org>', 550),
    "SQL in the domain": to("<alice@example.org'--.example.org>", 501),
    "a backslash and a quote": to('<"\\\\\' OR true --"@example.org>', 550),
    "a dollar quote": to("<$$x$$@example.org>", 550),
    "SQL in MAIL": [(b"MAIL FROM:<'OR'1'='1@example.org>", 250), (RCPT[0], 550)],
    "a pattern of LIKE": to("<_lice@example.org>", 550),
    "percents": to("<%s%u%d@example.org>", 554),
    "a variable of Dovecot": to("<%{user}@example.org>", 554),
    "a variable of Dovecot 2.4": to("<%{owner_user|domain}@example.org>", 554),
    "a variable of Postfix": to("<${recipient}@example.org>", 550),
    "a command": to("<$(id)@example.org>", 501),
    "a command in backticks": to("<`id`@example.org>", 550),
    "a pipe": to("<|id@example.org>", 550),
    "a file": to("</etc/passwd@example.org>", 550),
    "an include": to("<:include:/etc/passwd@example.org>", 550),
    "a path": to("<../../etc/passwd@example.org>", 550),
    "a wildcard": to("<*@example.org>", 550),
    "an option": to("<-bv@example.org>", 501),
    "LDAP": to('<"*)(uid=*"@example.org>', 550),
    # look-alikes
    "Cyrillic": to("<\u0430lice@example.org>", 553),
    "full width": to("<\uff41lice@example.org>", 553),
    "nothing to see": to("<alice\u200b@example.org>", 553),
    "from right to left": to("<\u202ealice@example.org>", 553),
    "a dot of another script": to("<alice@example\u3002org>", 501),
    "a domain that looks like ours": to("<alice@ex\u0430mple.org>", 501),
    "its A-label": to("<alice@xn--exmple-4nf.org>", 554),
    "Kelvin": to("<caro\u212a@example.com>", 550),
    "UTF-8 cut short": to(b"<alice\xc3@example.org>", 500),
    "UTF-8 too long": to(b"<\xc1\xa1lice@example.org>", 500),
    # bytes
    "NUL in a command": [(b"NO\0OP", 500)],
    "NUL in an address": to(b"<alice@example.org\0.remote.example.net>", 501),
    "NUL before the bracket": to(b"<alice\0@example.org>", 501),
    # too long, too many
    "a local part of 65 octets": to(f"<{'a' * 65}@example.org>", 501),
    "a label of 64 octets": to(f"<alice@{'a' * 64}.example.org>", 501),
    "a domain of 300 octets": to(f"<alice@{'a.' * 145}example.org>", 501),
    "an address of 2,000 octets": to(f"<{'a' * 2000}@example.org>", 501),
    # errors that Postfix tolerates, as the address is clear
    "a space after the colon": to(" <alice@example.org>", 250),
    "the bracket is closed twice": to("<alice@example.org>>", 250),
    "brackets in brackets": to("<<alice@example.org>>", 250),
    "an escape at the end": to("<alice\\@example.org>", 250),
    "CR in an address": to(b"<alice\r@example.org>", 250),
    "tabs": to(b"<alice\t@example.org>", 250),
    # BDAT is not offered: the data after it would be read as commands
    "BDAT": [MAIL, RCPT, (b"BDAT 5 LAST", 521), (b"x", 0)],
    "BDAT of no size": [MAIL, RCPT, (b"BDAT -1", 521)],
    "BDAT without RCPT": [(b"BDAT 99999999999999999999 LAST", 521)],
}


#: Commands of Alice after her login on 587.
USERS: dict[str, Steps] = {
    "another login": [(b"AUTH PLAIN AGEAYg==", 503)],
    "STARTTLS again": [(b"STARTTLS", 554)],
    "AUTH in MAIL": [(b"MAIL FROM:<alice@example.org> AUTH=<bob>", 250), RCPT],
    "a parameter of MAIL": [(b"MAIL FROM:<alice@example.org> FOO=bar", 555)],
    "two senders": [(b"MAIL FROM:<bob@example.org>,<alice@example.org>", 501)],
    "a list of senders": [(b"MAIL FROM:<bob@example.org,alice@example.org>", 501)],
    "a quoted sender": [(b'MAIL FROM:<"alice"@example.org>', 250), RCPT],
    "SQL for a sender": [(b"MAIL FROM:<'OR'1'='1@example.org>", 250), (RCPT[0], 553)],
    "quoted SQL for a sender": [(b'MAIL FROM:<"\' OR true --"@example.org>', 250), (RCPT[0], 553)],
    "percents for a sender": [(b"MAIL FROM:<%u@example.org>", 250), (RCPT[0], 553)],
    "a Cyrillic sender": [("MAIL FROM:<\u0430lice@example.org>".encode(), 250), (RCPT[0], 553)],
    "a sender with NUL": [(b"MAIL FROM:<alice\0@example.org>", 501)],
    "a sender of a literal": [(b"MAIL FROM:<alice@[127.0.0.1]>", 250), (RCPT[0], 553)],
    "a sender in capitals": [(b"MAIL FROM:<ALICE@EXAMPLE.ORG>", 250), RCPT],
    "percent hack": [MAIL_ALICE, (b"RCPT TO:<someone%remote.example.net@example.org>", 550)],
    "a recipient in Unicode": [MAIL_ALICE, ("RCPT TO:<alice@b\u00fccher.example>".encode(), 501)],
    "a domain that has no dot": [MAIL_ALICE, (b"RCPT TO:<root@localhost>", 504)],
    # root accepts mail from every sender, as replies to the host's own mail
    "a literal of our own": [MAIL_ALICE, (b"RCPT TO:<root@[127.0.0.1]>", 250)],
    "an address of 2,000 octets": [MAIL_ALICE, (b"RCPT TO:<" + b"a" * 2000 + b"@remote.example.net>", 501)],
    "BDAT, which ends the session": [MAIL_ALICE, RCPT, (b"BDAT 5 LAST", 521)],
}

#: Accepted spellings that no mail program writes. All of it must arrive.
TAKEN: dict[str, bytes] = {
    "nothing at all": b"",
    "an empty line": b"\r\n",
    "no header": b"Hello, this is no header\r\nx\r\n",
    "only a header": b"Subject: x\r\n",
    "a header of one octet": b":\r\n\r\nx\r\n",
    "the first line goes on": b" goes on\r\nSubject: x\r\n\r\nx\r\n",
    "8 bits, which were not announced": b"Subject: Gr\xfc\xdfe\r\n\r\n" + bytes(range(128, 256)) + b"\r\n",
    "NUL": b"Subject: a\0b\r\n\r\na\0b\r\n",
    "all control characters": b"Subject: x\r\n\r\n" + bytes({*range(32)} - {10, 13}) + b"\r\n",
    "bare CR and LF": b"Subject: x\r\n\r\na\rb\nc\r\rd\n\ne\r\n",
    "a line of a million octets": b"Subject: x\r\n\r\n" + b"x" * 1_000_000 + b"\r\n",
    "a field of 90,000 octets": b"Subject: " + b"x" * 90_000 + b"\r\n\r\nx\r\n",
    "a field of 300,000 octets": b"Subject: " + b"x" * 300_000 + b"\r\n\r\nx\r\n",
    "20,000 fields": b"X-Field: x\r\n" * 20_000 + b"\r\nx\r\n",
    "dots": b"Subject: x\r\n\r\n..\r\n...\r\n.. \r\n..x\r\n",
    "what daemons expand": b"Subject: %{user} ${x} $(id) %s `id` \\0\r\n\r\n%u ${sender} $1\r\n",
    "an mbox": b"From a@b.example Sun Nov 22 19:00:00 2026\r\nSubject: x\r\n\r\nFrom here\r\n",
    "MIME in MIME": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500)
    ),
    "a boundary that is none": b'Content-Type: multipart/mixed; boundary="\r\n\r\n--\r\n',
    "an encoding that is none": b"Content-Transfer-Encoding: x-none\r\nMIME-Version: 9\r\n\r\n=Z\r\n",
    "a date that is none": b"Date: yesterday\r\nMessage-ID: <<>>\r\nFrom: \r\nTo: ;;\r\n\r\nx\r\n",
}
