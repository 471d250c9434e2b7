"""Declared users and aliases. Pure; ``mailstack.accounts`` writes all accounts to the database."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from mailstack import addresses
from mailstack.settings import account_rules
from mailstack.settings.domains import AliasDomains, Domains, RelayDomains
from mailstack.settings.dovecot import MailDriver
from mailstack.settings.errors import Allowed
from mailstack.settings.password_hashes import PASSWORD_SCHEMES, check_hash
from mailstack.settings.types import (
    AliasSource,
    HostPath,
    Line,
    ListOf,
    MailboxAddress,
    Megabytes,
    Messages,
    Model,
    Password,
    Secret,
    as_model,
    each,
    matching,
    no_duplicates,
)

APP_PASSWORD_NAME = "[a-z0-9][a-z0-9._-]{0,62}"


def _check_app_password(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if len(text) < 24 or len(set(text)) < 8 or not re.fullmatch(r"[A-Za-z0-9._+/=-]+", text):
        raise ValueError("a password that can be guessed")
    return secret


class AppPassword(Model):
    """A further password of a user, for one program or device, which can be revoked alone."""

    name: Annotated[str, matching(APP_PASSWORD_NAME), Allowed("up to 63 of `a-z`, `0-9`, `.`, `_`, `-`")] = (
        Field(description="Its name, such as `phone`.")
    )
    password: (
        Annotated[
            Secret,
            AfterValidator(_check_app_password),
            Allowed(
                "24 or more of `A-Z`, `a-z`, `0-9` and `._+/=-` at random, as from `openssl rand -hex 16`"
            ),
        ]
        | None
    ) = Field(default=None, description="Enforced on every run. Not required once the app password exists.")
    service: Literal["all", "imap", "smtp"] = Field(
        default="all",
        description="The services that accept it: `imap` for IMAP and POP3, `smtp` for sending, `all` for "
        "these and ManageSieve.",
    )


class User(Model):
    """A mailbox and its login."""

    email: MailboxAddress = Field(description="The address; also the login name.")
    initial_password: Password | None = Field(
        default=None, description="Set only when the account is created, as the user may change it later."
    )
    password_hash: (
        Annotated[
            Secret,
            AfterValidator(check_hash),
            Allowed("`{SCHEME}hash` or a bare crypt string; " + ", ".join(PASSWORD_SCHEMES)),
        ]
        | None
    ) = Field(default=None, description="Enforced on every run.")
    home_directory: HostPath | None = Field(
        default=None, description="The directory of the mail; without it, a new one below `mail_home_root`."
    )
    mail_driver: MailDriver | None = Field(
        default=None,
        description="How the mail is stored, for a new user; `maildir` if `home_directory` has a Maildir "
        "already. None: `mail_driver` of the settings. `mailstack.accounts.convert` changes it later.",
    )
    backend: Line | None = Field(
        default=None,
        description="The host with the mailbox, for a new user of a server with several hosts in the group "
        "`imap`, by its name in the inventory. None: one of them, by `mail_backend_weight`. "
        "`mailstack.accounts.move` changes it later.",
    )
    quota_mb: Megabytes | None = Field(
        default=None,
        description="The largest size of the mailbox, in MiB. None: the domain's `user_quota_mb`; 0: no "
        "limit.",
    )
    quota_messages: Messages | None = Field(
        default=None,
        description="The largest number of messages. None: the domain's `user_quota_messages`; 0: no limit.",
    )
    message_rate_limit: Messages | None = Field(
        default=None,
        description="Messages that the user may send in an hour. None: `mail_user_message_rate_limit`; 0: no "
        "limit. The next three are alike.",
    )
    recipient_rate_limit: Messages | None = Field(default=None, description="Recipients in an hour.")
    message_daily_limit: Messages | None = Field(default=None, description="Messages in a day.")
    recipient_daily_limit: Messages | None = Field(default=None, description="Recipients in a day.")
    can_send: bool = Field(
        default=True, description="If false, the user can't log in on ports 465 and 587; IMAP still works."
    )
    can_receive: bool = Field(
        default=True,
        description="If false, mail to the user is refused as for an unknown address; logins work.",
    )
    detail_folders: bool = Field(
        default=False,
        description="Whether mail to `user+folder` goes into that folder if it exists. Otherwise it goes "
        "into INBOX.",
    )
    senders: Annotated[
        ListOf[str],
        each(addresses.address_or_domain),
        Allowed("a list of addresses, or of `@example.org` for every address there"),
    ] = Field(
        default=(),
        description="Further addresses that the user may send from, beside its own and its aliases.",
    )
    app_passwords: Annotated[
        ListOf[Annotated[AppPassword, as_model(AppPassword, "name")]],
        Allowed("a list of dictionaries (see AppPassword)"),
    ] = Field(default=(), description="Further passwords, one for each program or device.")
    active: bool = Field(default=True, description="A disabled user can't log in and receives no mail.")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        no_duplicates(f"{self.email}: sender", list(self.senders))
        no_duplicates(f"{self.email}: app password", [app.name for app in self.app_passwords])
        return self

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.initial_password is not None and self.password_hash is not None:
            raise ValueError(f"{self.email}: give initial_password or password_hash, not both")
        return self


class Alias(Model):
    """An address, or a whole domain, whose mail goes to other addresses."""

    source_email: AliasSource = Field(
        description="The address; `@domain` for a catch-all; `name@*` for a name in all domains."
    )
    destinations: Annotated[
        ListOf[str],
        each(addresses.destination_address),
        Field(min_length=1),
        Allowed("a list of addresses, local or remote"),
    ] = Field(description="The recipients of the mail. An address in another server's domain keeps its case.")
    active: bool = Field(default=True, description="A disabled alias is refused like an unknown address.")

    @property
    def everywhere(self) -> bool:
        """Whether the alias is for a name in all domains."""
        return self.source_email.endswith("@*")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        # Postfix sends one copy to addresses that differ in case only (cleanup(8) folds them to compare)
        no_duplicates(f"{self.source_email}: destination", [target.lower() for target in self.destinations])
        return self


def _alias_mapping(value: object) -> object:
    """Convert ``{source: destination or list}``, the short form, to a list of aliases."""
    if not isinstance(value, Mapping):
        return value
    return [
        {"source_email": source, "destinations": [target] if isinstance(target, str) else target}
        for source, target in value.items()
    ]


def _check_users(users: tuple[User, ...]) -> tuple[User, ...]:
    no_duplicates("the user", [user.email for user in users])
    return users


def _check_aliases(aliases: tuple[Alias, ...]) -> tuple[Alias, ...]:
    no_duplicates("the alias", [alias.source_email for alias in aliases])
    if loop := alias_loop(aliases):
        raise ValueError(f"the aliases go in a circle: {' -> '.join(loop)}")
    return aliases


def alias_loop(aliases: Iterable[Alias]) -> list[str]:
    """Return addresses that point to one another in a circle, the first repeated at the end; else nothing.

    Postfix accepts such a recipient, then answers 451 at every attempt. An alias with its own address among
    its destinations keeps a copy and is no circle. Addresses that differ only in ``+detail`` are the same.
    """
    active = [alias for alias in aliases if alias.active]
    return circle((alias.source_email, target.lower()) for alias in active for target in alias.destinations)


def circle(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return the addresses of a circle, as ``alias_loop`` does.

    + pairs: sources and destinations of aliases, in lower case
    """
    targets: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in pairs:
        if target != source:
            targets[source].append(addresses.without_detail(target))
    try:
        TopologicalSorter(targets).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]  # graphlib goes from target to source
    return []


Users = Annotated[
    ListOf[Annotated[User, as_model(User)]],
    AfterValidator(_check_users),
    Allowed("a list of dictionaries (see User)"),
]
Aliases = Annotated[
    ListOf[Annotated[Alias, as_model(Alias)]],
    AfterValidator(_check_aliases),
    BeforeValidator(_alias_mapping),
    Allowed("a dictionary of address to one or several addresses, or a list of dictionaries (see Alias)"),
]


class AccountSettings(Model):
    """Accounts."""

    mail_domains: Domains = Field(default=(), description="The domains that this server receives mail for.")
    mail_users: Users = Field(default=(), description="The mailboxes.")
    mail_aliases: Aliases = Field(default=(), description="Addresses whose mail goes to other addresses.")
    mail_alias_domains: AliasDomains = Field(
        default=(), description="Further names of domains in `mail_domains`."
    )
    mail_relay_domains: RelayDomains = Field(
        default=(),
        description="Domains whose mail Postfix accepts from everybody and relays to another server, as a "
        "backup MX does.",
    )
    mail_accounts_policy: Literal["add-only", "authoritative"] = Field(
        default="add-only",
        description="Whether accounts in the database that are not declared are kept (`add-only`) or deleted "
        "(`authoritative`).",
    )
    mail_accounts_delete_mail: bool = Field(
        default=False, description="Whether deleting an account deletes its mail too."
    )

    @model_validator(mode="after")
    def _accounts_possible(self) -> Self:
        problems = [*account_rules.too_much(self.mail_domains, self.mail_users)]
        if self.mail_accounts_policy == "authoritative":  # else the database may have further domains
            problems += account_rules.in_no_domain(
                self.mail_domains, self.mail_users, self.mail_aliases, self.mail_alias_domains
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self
