"""Webmail without a browser: its login form, by HTTP."""

from __future__ import annotations

import http.client
import re
import urllib.parse
from typing import NamedTuple

from tests.support import clients
from tests.targets.containers import Target

PATH = "/webmail/"
HOST = "mail.example.org"
TIMEOUT = 60


class Answer(NamedTuple):
    """An answer of the web server."""

    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


def ask(
    target: Target,
    path: str = PATH,
    form: dict[str, str] | None = None,
    cookies: dict[str, str] | None = None,
    *,
    ipv6: bool = False,
    **more: str,
) -> Answer:
    """Return what the web server answers, to POST if there is a form; `more` are header fields."""
    connection = http.client.HTTPSConnection(
        target.ip6 if ipv6 else target.ip, 443, timeout=TIMEOUT, context=clients.tls()
    )
    headers = {
        "Host": HOST,
        "Cookie": "; ".join(f"{name}={value}" for name, value in (cookies or {}).items()),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    body = None
    if form is not None:
        body = urllib.parse.urlencode(form)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        said = connection.getresponse()
        pairs = [each.partition(";")[0].partition("=") for each in said.headers.get_all("Set-Cookie", [])]
        given = {name: value for name, _, value in pairs}
        lower = {name.lower(): value for name, value in said.headers.items()}
        return Answer(said.status, lower, given, said.read())
    finally:
        connection.close()


def log_in(
    target: Target, user: str, password: str, *, ipv6: bool = False, query: str = "_task=login"
) -> Answer:
    """Return the answer to the login form: 302 to the mailbox, else 401 with the form again."""
    page = ask(target, ipv6=ipv6)
    token = re.search(r'name="_token" value="([^"]+)"', page.text)
    assert token, page.text[:2000]
    form = {"_token": token[1], "_task": "login", "_action": "login", "_user": user, "_pass": password}
    answer = ask(target, f"{PATH}?{query}", form, page.cookies, ipv6=ipv6)
    return answer._replace(cookies=page.cookies | answer.cookies)


def is_logged_in(target: Target, user: str, password: str) -> bool:
    """Return whether the login works."""
    answer = log_in(target, user, password)
    assert answer.status in (302, 401), (answer.status, answer.text[:2000])
    return answer.status == 302


class Session(NamedTuple):
    """An open session: the cookies of a browser."""

    target: Target
    cookies: dict[str, str]

    def is_open(self) -> bool:
        """Return whether a page of it is shown, and not the login form."""
        page = ask(self.target, f"{PATH}?_task=addressbook", cookies=self.cookies)
        assert page.status == 200, (page.status, page.text[:2000])
        return "rcmloginuser" not in page.text

    def contacts(self) -> str:
        """Return the list of the address book, as a program of the page."""
        page = ask(self.target, f"{PATH}?_task=addressbook", cookies=self.cookies)
        token = re.search(r'"request_token":"([^"]+)"', page.text)
        assert token, page.text[:2000]
        query = "_task=addressbook&_action=list&_source=0&_remote=1"
        answer = ask(
            self.target,
            f"{PATH}?{query}",
            cookies=self.cookies,
            X_Roundcube_Request=token[1],
            X_Requested_With="XMLHttpRequest",
        )
        assert answer.status == 200 and '"action":"list"' in answer.text, answer.text[:2000]
        return answer.text


def opened(target: Target, user: str, password: str) -> Session:
    """Return the session of a user who logs in."""
    answer = log_in(target, user, password)
    assert answer.status == 302, (answer.status, answer.text[:2000])
    return Session(target, answer.cookies)


def insert(target: Target, columns: str, rows: str) -> None:
    """Add rows to a table of Roundcube, whose defaults need its schema in the path."""
    clients.sql(target, f"SET search_path = mailwebmail; INSERT INTO {columns} {rows}")
