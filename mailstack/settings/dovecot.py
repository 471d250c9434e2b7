"""The settings of Dovecot."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import HostPath, Line, ListOf, Model, SystemId, Text, matching, no_duplicates

Percentage = Annotated[int, Field(ge=1, le=100)]


def _descending(percentages: tuple[int, ...]) -> tuple[int, ...]:
    no_duplicates("the percentage", [str(number) for number in percentages])
    return tuple(sorted(percentages, reverse=True))


def _not_the_inbox(names: dict[str, str]) -> dict[str, str]:
    if inbox := [name for name in names if name.upper() == "INBOX"]:
        raise ValueError(f"{inbox[0]!r}: new mail would go, read or not")
    return names


FolderName = Annotated[
    str,
    # what separates levels, quotes in Dovecot's configuration, stands for any name, or is a variable
    matching(r"[^\x00-\x1f\x7f]+", forbidden=r'[/.\\"*?%&{}#$]|^\s|\s$'),
]
Age = Annotated[str, matching(r"[1-9][0-9]{0,5}[smhdw]")]


class DovecotSettings(Model):
    """Dovecot"""

    mail_pop3: bool = Field(default=False, description="Whether POP3 is offered beside IMAP.")
    mail_home_root: HostPath = Field(
        default="/var/vmail", description="The directory with the home directories of all mailboxes."
    )
    mail_vmail_uid: SystemId | None = Field(
        default=None,
        description="The user id of `vmail`, which owns all mail. None: the one that it has on the host, or "
        "5000 if there is no such user.",
    )
    mail_vmail_gid: SystemId | None = Field(
        default=None,
        description="The group id of `vmail`. None: the one that it has on the host, or 5000 if there is no "
        "such group.",
    )
    mail_max_userip_connections: Annotated[int, Field(ge=1, le=1_000_000), Allowed("a number, 1 or more")] = (
        Field(
            default=20,
            description="How many connections one user may have at once from one address, for each of IMAP "
            "and POP3. One program may use five, and a household has one address.",
        )
    )
    mail_last_login_minutes: Annotated[
        int, Field(ge=0, le=525_600), Allowed("minutes, up to 525600; 0 for not at all")
    ] = Field(
        default=60,
        description="Logins are recorded in the table `mail_last_login`, for each user and service not more "
        "often than this.",
    )
    mail_password_upgrade: bool = Field(
        default=False,
        description="Whether a good login replaces a stored hash of an older scheme by one of today's, "
        "ARGON2ID. There is no way back, and other programs that verify these hashes must know it too: so "
        "it is off.",
    )
    mail_full_text_search: bool = Field(
        default=False,
        description="Whether an index answers searches. Without it Dovecot reads the mail, and every answer "
        "is right. With it, searches for text in large mailboxes are quicker, but by words, and some answers "
        "are wrong: `docs/mailboxes.md` lists which. On Debian 12, `NOT` finds nothing.",
    )
    mail_namespace_separator: Literal["/", "."] = Field(
        default="/",
        description="What IMAP clients see between the names of a folder and of one in it. On disk nothing "
        "changes with it; Sieve scripts that name such a folder have to. A folder with the new separator in "
        "its name can't be opened any more: rename it before.",
    )
    mail_autoexpunge: Annotated[
        dict[FolderName, Age],
        AfterValidator(_not_the_inbox),
        Allowed(
            "a dictionary of folder to age, such as `{'Trash': '30d'}`; ages in `s`, `m`, `h`, `d` or `w`, "
            "folders of the first level and not INBOX"
        ),
    ] = Field(
        default={},
        description="Folders that mail is deleted from once it has been there that long. None by default.",
    )
    mail_compression: Literal["none", "gz", "zstd"] = Field(
        default="none",
        description="How mail is stored that comes from now on. What is stored already stays readable, "
        "compressed or not. Quotas count what mail was before.",
    )
    mail_shared_folders: bool = Field(
        default=False,
        description="Whether users may give each other rights to their folders (RFC 4314), which then appear "
        "as `shared/USER/FOLDER`. Needs `mail_namespace_separator` `/`.",
    )
    mail_quota_warnings: Annotated[
        ListOf[Percentage], AfterValidator(_descending), Allowed("a list of percentages, 1 to 100")
    ] = Field(
        default=(95, 80),
        description="How full a mailbox must be, in space or messages, for its user to be told by mail.",
    )
    mail_quota_warning_subject: Line = Field(
        default="Your mailbox is {percent} % full",
        description="The subject of that mail; `{percent}` stands for the percentage.",
    )
    mail_quota_warning_text: Text = Field(
        default=(
            "Your mailbox uses {percent} % or more of the space, or of the number of\n"
            "messages, that it may have. Once it is full, mail to you is refused.\n"
            "Please delete what you do not need; the trash counts, too.\n"
        ),
        description="The text of that mail.",
    )
    mail_dovecot_extra: Text = Field(
        default="", description="Text for the end of `dovecot.conf`, in the syntax of the host's Dovecot."
    )

    @model_validator(mode="after")
    def _users_have_dots(self) -> Self:
        if self.mail_shared_folders and self.mail_namespace_separator == ".":
            raise ValueError(
                "mail_shared_folders: needs mail_namespace_separator '/', because the names of users, which "
                "are part of the names of shared folders, have dots"
            )
        return self
