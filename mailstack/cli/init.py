"""``mailstack init``: write an inventory and a deploy for a first host."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click
from pyinfra.api.exceptions import OperationValueError

from mailstack.cli.examples import epilog
from mailstack.cli.start import DEPLOY, INVENTORY
from mailstack.settings import Domain, Settings, User

_INVENTORY = '''\
"""The hosts, and their settings: docs/settings.md of mailstack lists all."""

hosts = [
    (
        "{host}",
        {{
            {login}
            # "ssh_hostname": "192.0.2.2",  # its address, until the DNS has its name
            "mail_hostname": "{host}",
            "mail_domains": ["{domain}"],
            "mail_postmaster": "{user}",  # gets mail to postmaster
            # certificates from Let's Encrypt, to whose terms this agrees; else nobody has signed it
            # "mail_acme": True,
            # "mail_acme_email": "{user}",
        }},
    ),
]
'''
_DEPLOY = '''\
"""The whole mail server: `mailstack deploy`."""

from pyinfra.context import host

from mailstack import Settings, mail_server

mail_server.deploy(Settings.from_data(host.data))
'''
_NEXT = """\
Written: {inventory}, {deploy}. Next:

  ssh {ssh_user}@{host}    # must work, by a key
  mailstack deploy               # shows the changes, and asks before it makes them
  mailstack user add {user}    # asks for the password
  mailstack dns zone             # the records for the DNS
  mailstack dns check            # says what is missing there
  mailstack status               # says what needs you
"""


def _checked(check: Callable[[str], str]) -> Callable[[click.Context, click.Parameter, str], str]:
    """Return a callback of click that refuses what the settings refuse; at a prompt, it asks again."""

    def callback(context: click.Context, parameter: click.Parameter, value: str) -> str:
        try:
            return check(value.strip())
        except OperationValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


def _ssh_user(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Check the user; before the first question, refuse to go on if a file exists."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", value):
        raise click.BadParameter(f"{value!r} is not the name of a user")
    for name in (INVENTORY, DEPLOY):
        if Path(name).exists() and not context.resilient_parsing:
            raise click.UsageError(f"{name} exists in {Path.cwd()}, and stays as it is")
    return value


_EXAMPLES = (
    "mailstack init",
    "mailstack init --host mail.example.org --domain example.org --user alice@example.org",
)


@click.command(epilog=epilog(_EXAMPLES))
@click.option(
    "--ssh-user",
    default="root",
    is_eager=True,
    callback=_ssh_user,
    show_default=True,
    help="The user that SSH logs in as; another than root needs sudo.",
)
@click.option(
    "--host",
    prompt="Name of the server, such as mail.example.org",
    callback=_checked(lambda name: Settings(mail_hostname=name).mail_hostname),
    help="The name of the server, by which SSH reaches it.",
)
@click.option(
    "--domain",
    prompt="Mail domain, such as example.org",
    callback=_checked(lambda name: Domain(domain_name=name).domain_name),
    help="The domain that it receives mail for.",
)
@click.option(
    "--user",
    prompt="Address of the first user, such as alice@example.org",
    callback=_checked(lambda email: User(email=email).email),
    help="The address of the first user, who also gets mail to postmaster.",
)
def init(ssh_user: str, host: str, domain: str, user: str) -> None:
    """Ask three questions, and write inventory.py and deploy.py for a server.

    Existing files are never overwritten. No password is asked for: `mailstack user add` does that.
    """
    if user.rpartition("@")[2] != domain:
        raise click.UsageError(f"--user {user}: must be in the domain {domain}")
    login = f'"ssh_user": "{ssh_user}",'
    if ssh_user != "root":
        login += '\n            "_sudo": True,'
    texts = {INVENTORY: _INVENTORY.format(host=host, domain=domain, user=user, login=login), DEPLOY: _DEPLOY}
    for name, text in texts.items():
        with Path(name).open("x", encoding="utf-8") as file:
            file.write(text)
    said = _NEXT.format(inventory=INVENTORY, deploy=DEPLOY, user=user, ssh_user=ssh_user, host=host)
    click.echo(said, nl=False)
