"""The source is a Maildir, or files in mbox format: a copy of them that doveadm may read, which is a Maildir.

Users of the other server may have put links there, to files that only root can read here. So only regular
files are copied, and root's copy is made where nobody else can change it.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from .mbox import first_line, messages
from .plan import Plan, Problem

STAGE = Path("/var/lib/mailstack-import_mail")
_LONGEST = 255
"""The longest name that a file system has."""
_KEPT = ("dovecot-uidlist", "dovecot-keywords", "dovecot-uidvalidity", "subscriptions", "maildirfolder")


def stage(plan: Plan) -> tuple[list[str], int]:
    """Copy the source's files; return doveadm's arguments for the source, and its number of messages."""
    path = Path(plan.source["path"])
    if not path.exists():
        raise Problem(f"{path}: there is no such file or directory on this host")
    path = path.resolve()  # a link that the administrator names is meant
    check_space(path, plan.home)
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(mode=0o700)
    mail = STAGE / "Maildir"
    try:
        if plan.source["kind"] == "maildir":
            copy_maildir(plan, path, mail)
        else:
            copy_mbox(plan, path, mail)
        hand_over(mail, plan.home.stat())
    except OSError as error:
        raise Problem(f"{error.filename or path}: {error.strerror}") from None
    STAGE.chmod(0o711)
    where = [f"maildir:{mail}"]
    if plan.generation != "2.3":
        where = ["-p", "mail_driver=maildir", "-p", f"mail_path={mail}", *where]
    return where, sum(len(files) for name, _, files in os.walk(mail) if Path(name).name in ("cur", "new"))


def hand_over(mail: Path, owner: os.stat_result) -> None:
    """Make a tree of root's the user's. Nobody else has had a way into it until now."""
    for name, _, files in os.walk(mail):
        for each in (".", *files):
            os.chown(Path(name, each), owner.st_uid, owner.st_gid, follow_symlinks=False)


def check_space(path: Path, home: Path) -> None:
    """Raise ``Problem`` if there is not room for a copy, and for the mail."""
    files = [path] if path.is_file() else (Path(name, one) for name, _, ones in os.walk(path) for one in ones)
    size = sum(each.lstat().st_size for each in files)
    for place in (STAGE.parent, home):
        needed = size * (2 if home.stat().st_dev == STAGE.parent.stat().st_dev else 1)
        if (free := shutil.disk_usage(place).free) < needed:
            raise Problem(f"{place} has {free >> 20} MiB free, and {needed >> 20} MiB are needed")


def copy(plan: Plan, source: Path, target: Path) -> None:
    """Copy a regular file, and when it was changed. Another kind of file is left out, and named."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        plan.say(f"{source} is left out: it is no regular file")
        return
    with os.fdopen(descriptor, "rb") as opened:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            plan.say(f"{source} is left out: it is no regular file")
            return
        with target.open("xb") as new:
            shutil.copyfileobj(opened, new)
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))


def is_folder(directory: Path) -> bool:
    """Return whether a directory is one of a Maildir++."""
    parts = (directory, directory / "cur")
    return all(part.is_dir() and not part.is_symlink() for part in parts)


def opened_name(directory: str) -> str:
    """Return a name like that of a folder's directory: Dovecot passes one over that begins with ``~``."""
    return re.sub("^[.]~", "._", directory)


def new_folder(path: Path) -> None:
    """Make an empty Maildir."""
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True, exist_ok=True)


def copy_maildir(plan: Plan, source: Path, target: Path) -> None:
    """Copy a Maildir++ with its folders, UIDs, keywords and subscriptions."""
    if not is_folder(source):
        raise Problem(f"{source} is no Maildir: it has no directory cur")
    for directory in [source, *sorted(source.glob(".*"))]:
        if not is_folder(directory):
            continue
        new = target if directory == source else target / opened_name(directory.name)
        new_folder(new)
        for name in ("cur", "new"):
            if (directory / name).is_dir() and not (directory / name).is_symlink():
                for file in (directory / name).iterdir():
                    copy(plan, file, new / name / file.name)
        for own in _KEPT:
            if (directory / own).exists():
                copy(plan, directory / own, new / own)
    courier = source / "courierimapsubscribed"
    if courier.is_file() and not courier.is_symlink():
        names = re.sub(rb"^INBOX[.]", b"", courier.read_bytes(), flags=re.MULTILINE)
        (target / "subscriptions").write_bytes(names)


def copy_mbox(plan: Plan, source: Path, target: Path) -> None:
    """Make a Maildir++ of files in mbox format. Raises ``Problem`` if there are none."""
    new_folder(target)
    found = False
    for folder, file in mbox_files(source):
        found = True
        if len(folder) > _LONGEST:
            raise Problem(
                f"{file}: the name of its folder has {len(folder)} letters as Dovecot writes it; "
                f"allowed: {_LONGEST}; rename the file"
            )
        new = target / opened_name(folder) if folder else target
        new_folder(new)
        with file.open("rb") as opened:
            for name, content, date in messages(opened):
                path = new / "cur" / name
                path.write_bytes(content)
                os.utime(path, (date, date))
    if not found:
        raise Problem(f"{source} has no messages in mbox format")


def mbox_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files in mbox format, each with its folder's directory in a Maildir++; INBOX has none."""
    if path.is_file():
        if first_line(path):
            yield "", path
        return
    for file in sorted(path.rglob("*")):
        parts = [part.removesuffix(".sbd") for part in file.relative_to(path).parts]
        hidden = any(part.startswith(".") for part in parts)
        if hidden or file.is_symlink() or not file.is_file() or not first_line(file):
            continue
        parts[-1] = parts[-1].removesuffix(".mbox") or parts[-1]
        inbox = len(parts) == 1 and parts[0].upper() == "INBOX"
        yield "" if inbox else "." + ".".join(encoded(part.replace(".", "_")) for part in parts), file


def encoded(name: str) -> str:
    """Return a folder's name in modified UTF-7 (RFC 3501, 5.1.3)."""

    def shifted(found: re.Match[str]) -> str:
        text = found[0]
        if text == "&":
            return "&-"
        utf16 = text.encode("utf-16-be", "surrogatepass")
        return "&" + base64.b64encode(utf16).decode().rstrip("=").replace("/", ",") + "-"

    return re.sub(r"&|[^ -~]+", shifted, name)
