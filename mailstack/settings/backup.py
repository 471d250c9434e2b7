"""The settings of backups: where they are, how often they are made, and how long they are kept."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import Line, Model, Password, matching

_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PATH = r"(?:/[A-Za-z0-9._@+=,-]+)+/?"
_PLACE = rf"{_PATH}|sftp:{_NAME}@(?:{_NAME}|\[[0-9a-f:]+\]):{_PATH}|s3:https?://[^\s/]+/[^\s]+"
SFTP = re.compile(rf"sftp:(?P<login>{_NAME}@(?P<host>{_NAME}|\[[0-9a-f:]+\])):{_PATH}")


def _hours(hours: int) -> int:
    if hours not in _HOURS:
        raise ValueError("does not divide a day")
    return hours


class BackupSettings(Model):
    """Backup."""

    mail_backup_repository: (
        Annotated[
            str,
            matching(_PLACE, forbidden=r"/[.]{1,2}(/|$)"),
            Allowed(
                "the path of a directory, `sftp:USER@HOST:/PATH`, or `s3:https://SERVER/BUCKET/PATH`; no "
                "password in it"
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Where the encrypted backups of a host go, a repository of restic. Without it there are "
        "none. See `docs/backup.md`.",
    )
    mail_backup_password: Password | None = Field(
        default=None,
        description="The password of the repository. Without it, the host generates one, and "
        "`mailstack.backup.password` prints it. Nobody can read a backup without it.",
    )
    mail_backup_hours: Annotated[
        int, AfterValidator(_hours), Allowed(f"hours: {', '.join(map(str, _HOURS))}")
    ] = Field(default=24, description="The time between two backups; one a day is made at night.")
    mail_backup_keep_days: Annotated[int, Field(ge=1, le=3650), Allowed("a number, 1 to 3650")] = Field(
        default=14, description="For so many days, the last backup of each is kept."
    )
    mail_backup_keep_weeks: Annotated[int, Field(ge=0, le=520), Allowed("a number, 0 to 520")] = Field(
        default=8, description="For so many weeks, the last backup of each is kept."
    )
    mail_backup_keep_months: Annotated[int, Field(ge=0, le=120), Allowed("a number, 0 to 120")] = Field(
        default=12, description="For so many months, the last backup of each is kept."
    )
    mail_backup_ssh_host_key: (
        Annotated[
            str,
            matching(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/=]+"),
            Allowed("a key as in known_hosts without the name, such as `ssh-ed25519 AAAA…`"),
        ]
        | None
    ) = Field(
        default=None,
        description="The key of the host in `mail_backup_repository`, if that begins with `sftp:`; there "
        "`ssh-keyscan HOST` prints it.",
    )
    mail_backup_s3_key_id: Line | None = Field(
        default=None, description="The name of the access key, if the repository begins with `s3:`."
    )
    mail_backup_s3_secret: Password | None = Field(default=None, description="The secret of that access key.")

    @model_validator(mode="after")
    def _backup_possible(self) -> Self:
        for name, field in BackupSettings.model_fields.items():
            if self.mail_backup_repository is None and getattr(self, name) != field.default:
                raise ValueError(f"{name}: needs mail_backup_repository")
        place = self.mail_backup_repository or ""
        if place.startswith("s3:") and "@" in place:  # no validator of the value, whose error would show it
            raise ValueError(
                "mail_backup_repository: has a password in it; allowed: mail_backup_s3_key_id and "
                "mail_backup_s3_secret"
            )
        needs = {
            "mail_backup_ssh_host_key": place.startswith("sftp:"),
            "mail_backup_s3_key_id": place.startswith("s3:"),
            "mail_backup_s3_secret": place.startswith("s3:"),
        }
        for name, needed in needs.items():
            if needed and getattr(self, name) is None:
                raise ValueError(f"{name}: is required with mail_backup_repository {place!r}")
            if not needed and getattr(self, name) is not None:
                kind = "sftp:" if "ssh" in name else "s3:"
                raise ValueError(f"{name}: needs a mail_backup_repository that begins with {kind}")
        return self
