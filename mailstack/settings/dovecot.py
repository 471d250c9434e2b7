"""The settings of Dovecot."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import HostPath, Line, ListOf, Model, SystemId, Text, matching, no_duplicates

MailDriver = Literal["sdbox", "maildir"]
MAIL_DRIVER: MailDriver = "sdbox"
"""How the mail of new users is stored by default."""
MAIL_DIRECTORIES = {"sdbox": "sdbox", "maildir": "Maildir"}
"""The directory of each in a user's home."""

Percentage = Annotated[int, Field(ge=1, le=100)]


def _descending(percentages: tuple[int, ...]) -> tuple[int, ...]:
    no_duplicates("the percentage", [str(number) for number in percentages])
    return tuple(sorted(percentages, reverse=True))


def _not_the_inbox(names: dict[str, str]) -> dict[str, str]:
    if inbox := [name for name in names if name.upper() == "INBOX"]:
        raise ValueError(f"{inbox[0]!r}: new mail would be deleted, read or not")
    return names


FolderName = Annotated[
    str,
    # separators of levels, quotes of Dovecot's configuration, wildcards and variables
    matching(r"[^\x00-\x1f\x7f]+", forbidden=r'[/.\\"*?%&{}#$]|^\s|\s$'),
]
Age = Annotated[str, matching(r"[1-9][0-9]{0,5}[smhdw]")]


class DovecotSettings(Model):
    """Dovecot."""

    mail_pop3: bool = Field(
        default=False, description="Whether users can read mail by POP3 too, beside IMAP."
    )
    mail_home_root: HostPath = Field(
        default="/var/vmail", description="The directory with the home directories of all mailboxes."
    )
    mail_driver: MailDriver | None = Field(
        default=None,
        description="How Dovecot stores the mail of new users: in one file a message, with flags in an index "
        "(`sdbox`), or with flags in the names of the files (`maildir`). Existing mailboxes stay as they are "
        "until `mailstack.accounts.convert` carries them over: see `docs/mailboxes.md`. Only users with this "
        "format can share folders. None: `sdbox`, or `maildir` with `mail_shared_folders`.",
    )
    mail_backend_weight: Annotated[int, Field(ge=0, le=1000), Allowed("a number from 0 to 1000")] = Field(
        default=1,
        description="The share of new users of a host in the group `imap`, if a server has several: see "
        "`docs/several-hosts.md`. 0: none.",
    )
    mail_vmail_uid: SystemId | None = Field(
        default=None,
        description="The user id of `vmail`, which owns all mail. None: the existing user's, or 5000 for a "
        "new user.",
    )
    mail_vmail_gid: SystemId | None = Field(
        default=None,
        description="The group id of `vmail`. None: the existing group's, or 5000 for a new group.",
    )
    mail_max_userip_connections: Annotated[int, Field(ge=1, le=1_000_000), Allowed("a number, 1 or more")] = (
        Field(
            default=20,
            description="Connections that one user may have at once from one IP address, for each of IMAP "
            "and POP3. One client may use five, and a household has one address.",
        )
    )
    mail_last_login_minutes: Annotated[
        int, Field(ge=0, le=525_600), Allowed("minutes, up to 525600; 0 records none")
    ] = Field(
        default=60,
        description="The shortest time between two records of a login in the table `mail_last_login`, for "
        "each user and service.",
    )
    mail_password_upgrade: bool = Field(
        default=False,
        description="Whether a successful login replaces a stored hash of an older scheme with ARGON2ID. "
        "Off, because this can't be undone, and other programs that verify these hashes must support it.",
    )
    mail_full_text_search: bool = Field(
        default=False,
        description="Whether searches use an index. Without it Dovecot reads the mail, and every result is "
        "correct. With it, text searches in large mailboxes are faster, but match words only, and some "
        "results are wrong: `docs/mailboxes.md` lists them. On Debian 12, `NOT` finds nothing.",
    )
    mail_namespace_separator: Literal["/", "."] = Field(
        default="/",
        description="The separator between the names of a folder and its subfolder in IMAP. Nothing on disk "
        "depends on it. After a change, edit Sieve scripts that name subfolders. Before a change, rename "
        "folders with the new separator in their names, as they can't be opened afterwards.",
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
        description="Folders whose mail is deleted after it has been in them for this time. None by default.",
    )
    mail_compression: Literal["none", "gz", "zstd"] = Field(
        default="none",
        description="The compression of new mail. Stored mail stays readable, compressed or not. Quotas "
        "count the uncompressed size.",
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
        description="The usage of a mailbox, in space or messages, at which its user gets a warning by mail.",
    )
    mail_quota_warning_subject: Line = Field(
        default="Your mailbox is {percent} % full",
        description="The subject of that warning; `{percent}` is replaced by the percentage.",
    )
    mail_quota_warning_text: Text = Field(
        default=(
            "Your mailbox uses {percent} % or more of the space, or of the number of\n"
            "messages, that it may have. Once it is full, mail to you is refused.\n"
            "Please delete what you do not need; the trash counts, too.\n"
        ),
        description="The text of that warning; `{percent}` is replaced by the percentage.",
    )
    mail_dovecot_extra: Text = Field(
        default="", description="Text at the end of `dovecot.conf`, in the syntax of the host's Dovecot."
    )

    @property
    def new_mail_driver(self) -> MailDriver:
        """How the mail of new users is stored: with shared folders as before there was a choice."""
        return self.mail_driver or ("maildir" if self.mail_shared_folders else MAIL_DRIVER)

    @model_validator(mode="after")
    def _users_have_dots(self) -> Self:
        if self.mail_shared_folders and self.mail_namespace_separator == ".":
            raise ValueError(
                "mail_shared_folders: needs mail_namespace_separator '/', because the names of users, which "
                "are part of the names of shared folders, have dots"
            )
        return self
