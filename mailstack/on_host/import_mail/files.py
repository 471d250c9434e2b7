"""The source is a Maildir, or files in mbox format."""

from __future__ import annotations

import base64
import email.parser
import hashlib
import mailbox
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from .plan import STAGE, Plan, Problem


def stage(plan: Plan) -> tuple[list[str], int]:
    """Copy the source's files; return doveadm's arguments for the source, and its number of messages."""
    path = Path(plan.source["path"])
    if not path.exists():
        raise Problem(f"{path}: there is no such file or directory on this host")
    shutil.rmtree(plan.stage, ignore_errors=True)
    check_space(path, plan.home)
    try:
        if plan.source["kind"] == "maildir":
            if not (path / "cur").is_dir():
                raise Problem(f"{path} is no Maildir: it has no directory cur")
            copy_maildir(path, plan.stage)
        else:
            for folder, file in mbox_files(path):
                convert_mbox(file, plan.stage / folder if folder else plan.stage)
        owner = plan.home.stat()
        for name, _, files in os.walk(plan.stage):
            for each in (".", *files):
                os.chown(Path(name, each), owner.st_uid, owner.st_gid)
    except OSError as error:
        raise Problem(f"{error.filename or path}: {error.strerror}") from None
    place = f"~/{STAGE}"
    where = [f"maildir:{place}"]
    if plan.generation != "2.3":
        where = ["-p", "mail_driver=maildir", "-p", f"mail_path={place}", *where]
    return where, sum(
        len(files) for name, _, files in os.walk(plan.stage) if Path(name).name in ("cur", "new")
    )


def check_space(path: Path, home: Path) -> None:
    """Raise ``Problem`` if there is not room for a copy and for the mail."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    needed, free = 2 * sum(each.stat().st_size for each in files), shutil.disk_usage(home).free
    if needed > free:
        raise Problem(f"{home} has {free >> 20} MiB free, and {needed >> 20} MiB are needed")


def copy_maildir(source: Path, target: Path) -> None:
    """Copy a Maildir++ with its folders, UIDs, keywords and subscriptions."""
    kept = ("dovecot-uidlist", "dovecot-keywords", "dovecot-uidvalidity", "subscriptions", "maildirfolder")
    for directory in [source, *sorted(source.glob(".*"))]:
        if not (directory / "cur").is_dir():
            continue
        new = target if directory == source else target / directory.name
        for name in ("cur", "new", "tmp"):
            (new / name).mkdir(parents=True, exist_ok=True)
            if name != "tmp" and (directory / name).is_dir():
                for file in (directory / name).iterdir():
                    shutil.copy2(file, new / name / file.name)
        for own in kept:
            if (directory / own).is_file():
                shutil.copy2(directory / own, new / own)
    courier = source / "courierimapsubscribed"
    if courier.is_file():
        (target / "subscriptions").write_text(
            re.sub("^INBOX[.]", "", courier.read_text(), flags=re.MULTILINE)
        )


def mbox_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files in mbox format, each with its folder's directory in a Maildir++; INBOX has none."""
    if path.is_file():
        yield "", path
        return
    for file in sorted(path.rglob("*")):
        parts = [part.removesuffix(".sbd") for part in file.relative_to(path).parts]
        if not file.is_file() or any(part.startswith(".") for part in parts):
            continue
        with file.open("rb") as opened:
            if opened.read(5) != b"From ":
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
        return "&" + base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"

    return re.sub(r"&|[^ -~]+", shifted, name)


def convert_mbox(file: Path, target: Path) -> None:
    """Make a Maildir of a file in mbox format: the bytes of each message, its flags, and when it came."""
    for name in ("cur", "new", "tmp"):
        (target / name).mkdir(parents=True, exist_ok=True)
    source = mailbox.mbox(str(file), create=False)
    parse = email.parser.BytesHeaderParser()
    for number, key in enumerate(source.keys()):
        message = source.get_message(key)
        content = source.get_bytes(key)
        header = parse.parsebytes(content)
        if "X-IMAP" in header and number == 0 and "FOLDER INTERNAL DATA" in header.get("Subject", ""):
            continue  # of UW IMAP
        about = mailbox.MaildirMessage(message)
        name = f"{int(about.get_date())}.{hashlib.sha256(content).hexdigest()[:32]}.{number}"
        new = target / "cur" / f"{name}:2,{about.get_flags()}"
        new.write_bytes(content)
        os.utime(new, (about.get_date(), about.get_date()))
    source.close()
