"""Hostile but accepted settings come back unchanged from the files, read as their manuals say."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from email import message_from_bytes, policy
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as cases
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn

from mailstack import secrets
from mailstack.components import dovecot_config, postfix_tables, rspamd_config
from mailstack.components.postfix import POSTFIX
from mailstack.components.postgresql import POSTGRESQL
from mailstack.facts.platform import RELEASES
from mailstack.file_plan import with_others
from mailstack.files import Entry, File
from mailstack.settings import Settings, SettingsError
from mailstack.templates import render
from tests.support import grammars
from tests.support.hostile import CASES, QUICK, changed, check_each, either, texts
from tests.support.sites import site

#: For what starts a process, some milliseconds each.
SLOW = cases(max_examples=max(CASES // 10, QUICK // 4))
ATOMS = st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=12)
DOMAINS = st.sampled_from(["example.org", "a.example", "xn--bcher-kva.example"])
#: Addresses with every character that one may have.
ADDRESSES = st.builds(
    lambda atoms, domain: f"{'.'.join(atoms)}@{domain}", st.lists(ATOMS, min_size=1, max_size=3), DOMAINS
)


def accepted(**data: Any) -> Settings | None:
    """Return the settings, or nothing if they are refused."""
    try:
        return Settings.from_data({"mail_hostname": "mail.example.org"} | data)
    except SettingsError:
        return None


def text_of(entries: list[Entry] | Any, path: str) -> str:
    """Return the text of a file among those that a component writes."""
    (found,) = (each for each in with_others(entries, {}) if isinstance(each, File) and each.path == path)
    assert found.content is not None
    return found.content


def rows(settings: Settings, name: str) -> list[tuple[str, str]]:
    """Return the rows of a table of Postfix."""
    return grammars.postmap(text_of(postfix_tables.files(settings), f"/etc/postfix/{name}"))


@given(source=ADDRESSES, targets=st.lists(ADDRESSES, min_size=1, max_size=3))
def test_virtual(source: str, targets: list[str]) -> None:
    if settings := accepted(mail_virtual={source: targets}):
        written = [(key, ", ".join(values)) for key, values in settings.mail_virtual.items()]
        assert rows(settings, "virtual") == written


@given(
    pattern=st.one_of(ADDRESSES, either("a.example", "anna@a.example", ".a.example")),
    hop=either("smtp:[a]:26", "error:no way"),
)
def test_transport(pattern: str, hop: str) -> None:
    if settings := accepted(mail_transport={pattern: hop}):
        written = [(key, value.strip(" \t")) for key, value in settings.mail_transport.items()]
        assert rows(settings, "transport") == written


@given(
    name=either("a.example", ".a.example", "[a.example]:25"),
    policy_of=either("secure match=nexthop", "may"),
)
def test_tls_policy(name: str, policy_of: str) -> None:
    if settings := accepted(mail_smtp_tls_policy={name: policy_of}):
        written = [(key, value.strip(" \t")) for key, value in settings.mail_smtp_tls_policy.items()]
        assert rows(settings, "tls_policy") == written


@given(
    sender=ADDRESSES,
    host=either("[a.example]:587", "a.example", "[ipv6:2001:db8::1]"),
    user=either("us", "us@a.example"),
)
def test_relay_hosts_of_senders(sender: str, host: str, user: str) -> None:
    login = {"host": host, "user": user, "password": "x"}
    if settings := accepted(mail_sender_relayhosts={sender: login}):
        ((key, relay),) = settings.mail_sender_relayhosts.items()
        assert rows(settings, "sender_relayhosts") == [(key, f"sender-relay:{relay.host}")]
        assert rows(settings, "sender_passwd") == [
            (key, f"{relay.user}:{secrets.placeholder('sender-relayhost-password-0')}")
        ]


@given(network=changed("192.0.2.0/24", "[2001:db8::]/32"))
def test_trusted_forwarders(network: str) -> None:
    if settings := accepted(mail_trusted_forwarders=[network]):
        (plain,) = (re.sub(r"[\[\]]", "", each) for each in settings.mail_trusted_forwarders)
        assert rows(settings, "trusted_forwarders") == [(plain, "permit")]


@given(
    name=either("log", "root"),
    target=st.one_of(ADDRESSES, either("|/bin/x -t a\\\\b", "/var/x y", ":include:/x")),
)
def test_local_aliases(name: str, target: str) -> None:
    if settings := accepted(mail_local_aliases={name: [target, "root"]}):
        written = {key: [*targets] for key, targets in settings.mail_local_aliases.items()}
        text = text_of(postfix_tables.files(settings), "/etc/aliases")
        found = grammars.aliases(text)
        assert found == written


@cache
def standard() -> dict[str, str]:
    """Return the parameters of main.cf without any of these settings."""
    settings = accepted()
    assert settings is not None
    return main_cf(settings)


def main_cf(settings: Settings) -> dict[str, str]:
    """Return the parameters of main.cf."""
    entries = POSTFIX.files(site(settings), RELEASES[1])
    return grammars.main_cf(text_of(entries, "/etc/postfix/main.cf"))


#: Settings of main.cf, each with a function that returns the values that its parameter must have.
MAIN: dict[str, tuple[Callable[[str], Any], tuple[str, ...]]] = {
    "mail_myorigin": (lambda text: text, ("$mydomain", "/etc/mailname", "example.org")),
    "mail_mydestination": (lambda text: [text], ("$myhostname", "hash:/x", "regexp:/y")),
    "mail_mynetworks": (lambda text: [text], ("192.0.2.0/24", "[2001:db8::]/32", "[fe80::1%eth0]/128")),
    "mail_inet_interfaces": (lambda text: [text], ("192.0.2.1", "2001:db8::1", "fe80::1%eth0")),
    "mail_smtpd_relay_restrictions": (
        lambda text: ["permit_mynetworks", text, "reject"],
        ("reject_unauth_destination", "check_sender_access inline:{ a=b }", "#defer"),
    ),
    "mail_smtpd_helo_restrictions": (lambda text: ["permit_mynetworks", text], ("reject", "#reject")),
    "mail_virtual_mailbox_domains": (lambda text: [text], ("hash:/x", "inline:{ a.example=b }")),
    "mail_virtual_mailbox_maps": (lambda text: [text], ("hash:/x", "pipemap:{hash:/x, static:y}")),
    "mail_virtual_alias_maps": (lambda text: [text], ("hash:/x", "regexp:{{/x/ y}}")),
    "mail_relayhost": (lambda text: text, ("[a.example]:587", "a.example", "[fe80::1%eth0]")),
}


def squeezed(value: Any) -> list[str]:
    """Return the words of a parameter."""
    text = value if isinstance(value, str) else " ".join(value)
    return re.split("[ \t,]+", text.strip(" \t,"))


@pytest.mark.parametrize("name", MAIN)
def test_main_cf(name: str) -> None:
    make, seeds = MAIN[name]
    check_each(changed(*seeds), lambda text: check_main(name, make(text)))


def check_main(name: str, value: Any) -> None:
    settings = accepted(**{name: value})
    if settings is None:
        return
    # those of a parameter that is there or not
    optional = {"smtp_tls_policy_maps", "smtp_tls_security_level", "smtp_dns_support_level"}
    dependent = optional | {"smtpd_recipient_restrictions", "smtpd_restriction_classes", "known_recipient"}
    dependent |= {"limited_recipient"}
    found, parameter = main_cf(settings), name.removeprefix("mail_")
    assert found.keys() ^ standard().keys() <= dependent
    differ = {each for each, value in found.items() if value != standard().get(each)}
    assert differ <= dependent | {parameter}
    assert squeezed(found[parameter]) == squeezed(getattr(settings, name))


@given(name=either("maximal_queue_lifetime", "smtpd_banner"), value=either("$myhostname ESMTP", "3d"))
def test_parameters(name: str, value: str) -> None:
    if settings := accepted(mail_postfix_main={name: value}):
        ((given_name, given_value),) = settings.mail_postfix_main.items()
        found = main_cf(settings)
        assert found[given_name] == given_value.strip(" \t")
        assert {each for each in found if found[each] != standard().get(each)} <= {given_name}


@given(
    name=either("slow", "[::1]:2525"),
    command=either("smtp", "pipe flags=R user=x argv=/bin/x ${recipient}"),
    option=either("mail.example.org", "a b", "{ a }", ""),
)
def test_services(name: str, command: str, option: str) -> None:
    service = {"name": name, "type": "unix", "command": command, "options": {"smtp_helo_name": option}}
    if settings := accepted(mail_postfix_master=[service]):
        (of_settings,) = settings.mail_postfix_master
        entries = POSTFIX.files(site(settings), RELEASES[1])
        found = grammars.master_cf(text_of(entries, "/etc/postfix/master.cf"))
        (line,) = (each for each in found if each[:2] == [of_settings.name, "unix"])
        assert line[:7] == [of_settings.name, "unix", "-", "-", "-", "-", "-"]
        value = of_settings.options["smtp_helo_name"].strip(" \t")
        assert line[-2:] == ["-o", f"smtp_helo_name={value}"]
        assert (
            re.split("[ \t]+", of_settings.command.strip(" \t"))[0] == line[7] or "{" in of_settings.command
        )


@given(
    line=changed(
        "local mail monitor peer",
        "hostssl mail monitor 192.0.2.0/24 scram-sha-256",
        "host mail x ::1/128 md5 a=b",
    )
)
def test_lines_of_pg_hba(line: str) -> None:
    if settings := accepted(mail_db_hba=[line]):
        entries = POSTGRESQL.files(site(settings), RELEASES[1])
        (path,) = (each.path for each in entries if each.path.endswith("pg_hba.conf"))
        found = text_of(entries, path).split("\n")
        assert found.count(line) == 1
        kind, *fields = line.partition("#")[0].split()
        assert len(fields) >= (3 if kind == "local" else 4)


@given(senders=st.lists(st.one_of(ADDRESSES, DOMAINS), max_size=3, unique_by=str.lower))
def test_blocked_senders(senders: list[str]) -> None:
    if settings := accepted(mail_spam_blocked_senders=senders, mail_spam_allowed_senders=senders[:1]):
        text = text_of(rspamd_config.files(site(settings)), "/etc/rspamd/mailstack/senders.lua")
        wanted = [[*settings.mail_spam_blocked_senders], [*settings.mail_spam_allowed_senders]]
        assert [*grammars.lua_lists(text)] == wanted


@pytest.mark.parametrize("release", RELEASES, ids=lambda each: f"dovecot{each.dovecot}")
@given(folder=changed("Trash", "Gr\u00fc\u00dfe aus Rom", "it's", "a;b"))
def test_folders(release: Any, folder: str) -> None:
    if settings := accepted(mail_autoexpunge={folder: "30d"}):
        text = text_of(dovecot_config.files(site(settings), release), "/etc/dovecot/dovecot.conf")
        names = re.findall(r'^ +mailbox "((?:\\.|[^"\\\n])*)" \{\n', text, re.M)
        assert names == [*dict.fromkeys([*dovecot_config.FOLDERS, folder])]


#: The inverse of each encoding of passwords, by the manual that `mailstack.secrets` names.
READ: dict[str, Callable[[str], str]] = {
    "raw": lambda text: text,
    "conninfo": lambda text: str(parse_dsn(f"password={text}")["password"]),
    "pgpass": lambda text: re.sub(r"\\(.)", r"\1", text),
    "mycnf": lambda text: re.sub(r'\\(["\\])', r"\1", text[1:-1]),
    "dovecot": lambda text: re.sub(r"%(%+){", r"\1{", re.sub(r'\\(["\\])', r"\1", text[1:-1])),
}


def test_all_encodings_are_tested() -> None:
    # that one is of PEM text, which is cut, not quoted
    assert READ.keys() == secrets._ENCODERS.keys() - {"certificate"}


@pytest.mark.parametrize("encoding", READ)
@given(password=texts())
def test_passwords(encoding: str, password: str) -> None:
    settings = accepted(mail_db_lookup_password=password)
    if settings is None:
        return
    line = f"password = {secrets.placeholder('db-lookup-password', encoding)}"
    filled = secrets.fill_in(line, {"db-lookup-password": password})
    assert filled is not None and filled.count("\n") == 0
    written = filled.removeprefix("password = ")
    assert READ[encoding](written) == password
    if encoding == "pgpass":
        assert not re.search(r"(?<!\\)(?:\\\\)*:", written)
    if encoding in ("mycnf", "dovecot"):
        assert re.fullmatch(r'"(?:\\.|[^"\\])*"', written)


@given(text=texts())
def test_a_text_like_a_placeholder_gets_no_secret(text: str) -> None:
    """A setting goes into files that all users of the host can read, and passwords are filled in last."""
    name = "@mailstack-secret:db-lookup-password:raw@"
    settings = accepted(mail_quota_warning_text=text + name + text, mail_postfix_main={"smtpd_banner": name})
    assert settings is None


SUBJECT, TEXT = "Your mailbox is {percent} % full", "It is full.\n"


def warning(subject: str, text: str) -> str | None:
    """Return the script that warns a user, up to where it writes the message into a file."""
    settings = accepted(
        mail_quota_warning_subject=subject, mail_quota_warning_text=text, mail_quota_warnings=[80, 95]
    )
    if settings is None:
        return None
    entries = dovecot_config.files(site(settings), RELEASES[1])
    whole = text_of(entries, "/etc/dovecot/quota-warning")
    head, found, _ = whole.partition('\nif [ -d "$home/sdbox" ]')
    assert found
    return f"{head}\nmessage\n"


@SLOW
@given(subject=either(SUBJECT), text=either(TEXT, "{percent}"), user=ADDRESSES)
def test_the_warning_of_a_full_mailbox(subject: str, text: str, user: str) -> None:
    script = warning(subject, text)
    if script is None:
        return
    command = ["sh", "-s", "80", user, "/home"]
    done = subprocess.run(command, input=script.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    message = message_from_bytes(done.stdout, policy=policy.default)
    assert [*message] == [
        *("Return-Path", "From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding"),
    ]
    assert message.defects == []
    assert f"\nTo: <{user}>\n".encode() in done.stdout
    assert str(message["Subject"]).strip() == subject.replace("{percent}", "80").strip()
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    wanted = text.replace("{percent}", "80")
    assert body.decode().rstrip("\n") == re.sub("\r\n?", "\n", wanted).rstrip("\n")


@given(value=texts(), name=texts())
def test_templates_expand_no_value(value: str, name: str) -> None:
    """Jinja renders the values of templates once."""
    written = render("postfix/table", rows=[(name, value)], separator=" ", manual=value)
    assert written.endswith(f"by the next run. See {value}.\n{name} {value}\n")


@given(
    repository=either("s3:https://s3.example.net/mail", "/srv/x"),
    key=either("id"),
    secret=either("secret"),
)
def test_backups(repository: str, key: str, secret: str) -> None:
    from mailstack.components.backup import BACKUP, CONFIGURATION

    settings = accepted(
        mail_backup_repository=repository, mail_backup_s3_key_id=key, mail_backup_s3_secret=secret
    )
    if settings is None:
        return
    entries = BACKUP.files(site(settings), RELEASES[1])
    assert json.loads(text_of(entries, CONFIGURATION))["repository"] == repository
    environment = text_of(entries, "/etc/mailstack/backup.environment")
    lines = [line for line in environment.split("\n") if "=" in line and not line.startswith("#")]
    assert lines[0] == f"AWS_ACCESS_KEY_ID={key}" and len(lines) == 2
