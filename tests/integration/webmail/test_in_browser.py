"""Webmail in Chromium: users read, answer, filter, and change passwords. It makes pictures of the docs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import clients, pictures
from tests.support.browser import Browser
from tests.support.logins import logged_in
from tests.support.sample_accounts import ALICE, BOB, PASSWORDS
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

URL = "https://mail.example.org/webmail/"
NEW = "a new pass-word 2"
PLAN = "Monday: nothing\n"
#: The part of a page with a form.
FRAME = "document.querySelector('iframe')"


@pytest.fixture(scope="module")
def chromium(desk: Target, webmail_server: Target) -> Iterator[Browser]:
    """Yield a browser that finds every name at the server."""
    with Browser(desk, webmail_server.ip) as browser:
        browser.screen(1000, 520)
        yield browser


@pytest.fixture(scope="module")
def letter(webmail_server: Target) -> Iterator[str]:
    """Yield the Message-ID of a message to Alice, with HTML and an attachment; she has a quota."""
    mail = clients.message(BOB, ALICE, "The plan", "The plan, as plain text\n")
    html = "<h1>The plan</h1><p id='p'>As <b>HTML</b>.</p><img src='https://tracker.example/pixel.png'>"
    mail.add_alternative(f"{html}<script>window.hacked = true; parent.hacked = true</script>", subtype="html")
    mail.add_attachment(PLAN, filename="plan.txt")
    clients.send(webmail_server, mail, sender=BOB, port=587, user=BOB)
    with clients.imap(webmail_server, ALICE) as session:
        clients.wait_for_mail(session, str(mail["Message-ID"]))
    clients.sql(webmail_server, f"UPDATE mail_users SET quota_mb = 100 WHERE email = '{ALICE}'")
    yield str(mail["Message-ID"])
    clients.sql(webmail_server, f"UPDATE mail_users SET quota_mb = NULL WHERE email = '{ALICE}'")


def picture(browser: Browser, name: str, folder: Path) -> None:
    """Write a picture to the folder of the docs, or to that of the test."""
    browser.picture(pictures.place(f"webmail-{name}.png", folder))


def fill(browser: Browser, fields: dict[str, str], document: str = "document") -> None:
    """Write into fields of the page, each by its selector."""
    for selector, text in fields.items():
        field = f"{document}.querySelector({json.dumps(selector)})"
        browser.until(f"{field} != null")
        change = "dispatchEvent(new Event('change', {bubbles: true}))"
        browser.value(f"{field}.value = {json.dumps(text)}; {field}.{change}")


def enter(browser: Browser, password: str) -> None:
    """Log in as Alice."""
    browser.call("Network.clearBrowserCookies")
    browser.open(URL)
    fill(browser, {"#rcmloginuser": ALICE, "#rcmloginpwd": password})
    browser.value("document.querySelector('#rcmloginsubmit').click()")


def is_in_the_mailbox(browser: Browser) -> bool:
    """Wait for the list of messages, or for a message about the login; return whether it is the first."""
    listed = "rcmail.env.task == 'mail' && document.querySelector('#messagelist tbody tr') != null && 'in'"
    refused = "document.querySelector('#messagestack .warning') != null && 'out'"
    return bool(browser.until(f"{listed} || {refused}") == "in")


def test_a_user_reads_and_answers_a_message(
    chromium: Browser, webmail_server: Target, letter: str, tmp_path: Path
) -> None:
    enter(chromium, PASSWORDS[ALICE])
    assert is_in_the_mailbox(chromium)
    assert "%" in chromium.until("document.querySelector('#quotadisplay').innerText.trim()")
    uid = chromium.value("Object.keys(rcmail.env.messages).sort((a, b) => b - a)[0]")

    chromium.open(f"{URL}?_task=mail&_mbox=INBOX&_uid={uid}&_action=show")
    shown = chromium.until("document.querySelector('#messagebody .message-htmlpart').innerText")
    assert "The plan" in shown and "As HTML." in shown
    assert chromium.value("window.hacked === undefined")
    assert [url for url in chromium.requests() if "tracker.example" in url] == []
    fetched = (
        "fetch(document.querySelector('#attachment-list a').href + '&_download=1').then(said => said.text())"
    )
    assert chromium.value(fetched).splitlines() == PLAN.splitlines()
    assert [said for said in chromium.complaints() if "Content Security Policy" in said] == []
    picture(chromium, "message", tmp_path)

    chromium.open(f"{URL}?_task=mail&_action=compose&_reply_uid={uid}&_mbox=INBOX")
    fill(chromium, {"#composebody": "A good plan. Grüße!"})
    assert BOB in chromium.value("document.querySelector('#_to').value")
    chromium.value("rcmail.command('send', '')")
    chromium.until("rcmail.env.action != 'compose'")
    with clients.imap(webmail_server, BOB) as session:
        answer = clients.eventually(
            lambda: session.noop() and session.search(None, "HEADER", "In-Reply-To", f'"{letter}"')[1][0],
            "no answer",
        )
        body = session.fetch(answer.decode(), "(BODY.PEEK[])")[1][0]
        assert isinstance(body, tuple) and b"A good plan" in body[1]


def test_a_user_makes_a_filter(
    chromium: Browser, webmail_server: Target, letter: str, tmp_path: Path
) -> None:
    chromium.open(f"{URL}?_task=settings&_action=plugin.managesieve")
    chromium.until("rcmail.commands['plugin.managesieve-add']")
    chromium.value("rcmail.command('plugin.managesieve-add')")
    fill(
        chromium,
        {
            "[name='_name']": "Plans",
            "[name='_header[0]']": "subject",
            "[name='_rule_op[0]']": "contains",
            "[name='_rule_target[0][]']": "secret plan",
            "[name='_action_type[0]']": "fileinto",
            "[name='_action_mailbox[0]']": "Archive",
        },
        f"{FRAME}.contentDocument",
    )
    picture(chromium, "filter", tmp_path)
    chromium.value(f"{FRAME}.contentWindow.rcmail.command('plugin.managesieve-save')")
    look = ["grep", "-rqF", "secret plan", f"{clients.home(webmail_server, ALICE)}/sieve"]
    clients.eventually(lambda: webmail_server.exec(look, check=False).returncode == 0, "no filter")
    mail = clients.message(BOB, ALICE, "A secret plan")
    clients.send(webmail_server, mail, sender=BOB, port=587, user=BOB)
    with clients.imap(webmail_server, ALICE) as session:
        session.select("Archive")
        clients.wait_for_mail(session, str(mail["Message-ID"]))


def test_a_user_changes_the_password(chromium: Browser, webmail_server: Target, tmp_path: Path) -> None:
    where = f"WHERE email = '{ALICE}'"
    stored = clients.sql(webmail_server, f"SELECT password FROM mail_users {where}")
    try:
        chromium.open(f"{URL}?_task=settings&_action=plugin.password")
        wrong = {"#curpasswd": "not the password", "#newpasswd": NEW, "#confpasswd": NEW}
        fill(chromium, wrong)
        chromium.value("rcmail.command('plugin.password-save')")
        chromium.until("document.querySelector('#messagestack .error') != null")
        assert clients.sql(webmail_server, f"SELECT password FROM mail_users {where}") == stored
        fill(chromium, wrong | {"#curpasswd": PASSWORDS[ALICE]})
        picture(chromium, "password", tmp_path)
        chromium.value("rcmail.command('plugin.password-save')")
        chromium.until("document.querySelector('#messagestack .confirmation') != null")

        assert logged_in("imap", webmail_server, ALICE, NEW)
        assert not logged_in("imap", webmail_server, ALICE, PASSWORDS[ALICE])
        # this session goes on with the new one
        chromium.open(f"{URL}?_task=mail")
        assert is_in_the_mailbox(chromium)
        enter(chromium, PASSWORDS[ALICE])
        assert not is_in_the_mailbox(chromium)
        enter(chromium, NEW)
        assert is_in_the_mailbox(chromium)
        journal = webmail_server.exec("journalctl -q -o cat --no-pager -u mailstack-webmail").stdout
        assert f"password changed: user=<{ALICE}>, rip=" in journal and NEW not in journal
    finally:
        clients.sql(webmail_server, f"UPDATE mail_users SET password = '{stored}' {where}")


def test_a_user_makes_an_app_password_and_takes_it_away(
    chromium: Browser, webmail_server: Target, tmp_path: Path
) -> None:
    try:
        enter(chromium, PASSWORDS[ALICE])
        assert is_in_the_mailbox(chromium)
        page = f"{URL}?_task=settings&_action=plugin.mailstack"
        chromium.open(page)
        assert "alice+shop@example.org" in chromium.until("document.body.innerText")
        fill(chromium, {"#app-password-form [name='_name']": "phone"})
        chromium.value("document.querySelector('#app-password-form button').click()")
        secret = chromium.until("document.querySelector('#made code').innerText")
        chromium.value("document.querySelector('#made code').innerText = 'abcd-efgh-2345-…'")
        picture(chromium, "programs", tmp_path)
        assert logged_in("imap", webmail_server, ALICE, secret)
        assert logged_in("smtp", webmail_server, ALICE, secret)
        chromium.open(page)
        row = chromium.until("document.querySelector('#app-passwords tbody tr').innerText")
        assert (
            "phone" in row and "never" not in row and secret not in chromium.value("document.body.innerText")
        )

        # it can't make others, nor change the password
        enter(chromium, secret)
        assert is_in_the_mailbox(chromium)
        chromium.open(page)
        assert "Log in with your own password" in chromium.until("document.body.innerText")
        assert chromium.value("document.querySelector('#app-password-form') == null")
        chromium.open(f"{URL}?_task=settings&_action=plugin.password")
        fill(chromium, {"#curpasswd": secret, "#newpasswd": NEW, "#confpasswd": NEW})
        chromium.value("rcmail.command('plugin.password-save')")
        chromium.until("document.querySelector('#messagestack .error') != null")

        enter(chromium, PASSWORDS[ALICE])
        assert is_in_the_mailbox(chromium)
        chromium.open(page)
        chromium.until("document.querySelector('#app-passwords button') != null")
        chromium.value("document.querySelector('#app-passwords button').click()")
        chromium.until("document.querySelector('#messagestack .confirmation') != null")
        assert not logged_in("imap", webmail_server, ALICE, secret)
    finally:
        clients.sql(webmail_server, f"DELETE FROM mail_app_password WHERE email = '{ALICE}'")
