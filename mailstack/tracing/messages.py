"""Messages in the queues of Postfix, put together from lines of the journal. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from mailstack.tracing import lines
from mailstack.tracing.lines import Entry


class Delivery(NamedTuple):
    """An attempt to deliver a message to a recipient.

    + asked: the recipient before aliases, if it is another
    + stored: what Dovecot did with it, as entries
    """

    entry: Entry
    to: str
    asked: str
    relay: str
    dsn: str
    status: str
    reason: str
    stored: tuple[Entry, ...] = ()


class Refusal(NamedTuple):
    """A recipient or a message that was refused."""

    entry: Entry
    stage: str
    client: str
    reply: str
    sender: str
    to: str


class Session(NamedTuple):
    """A client's connection to smtpd(8)."""

    client: str
    at: float
    tls: str = ""


@dataclass(eq=False)
class Message:
    """A message in the queue of one host, from its arrival to its removal.

    + origin: the queue ID from which this host sent it to itself, as for SRS
    + notices: kinds and queue IDs of the notifications about it
    """

    host: str
    queue_id: str
    at: float
    client: str = ""
    tls: str = ""
    user: str = ""
    uid: str = ""
    origin: str = ""
    message_id: str = ""
    sender: str | None = None
    size: int = 0
    recipients: int = 0
    deliveries: list[Delivery] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    notices: list[tuple[Entry, str, str]] = field(default_factory=list)
    scan: Entry | None = None
    expired: Entry | None = None
    removed: Entry | None = None

    @property
    def begun(self) -> bool:
        """Whether the line with its origin was read."""
        return bool(self.client or self.uid or self.message_id)

    @property
    def author(self) -> str | None:
        """The envelope sender, if it is known; that of a message which was refused is in the refusal."""
        if self.sender is None and self.refusals:
            return self.refusals[0].sender
        return self.sender

    @property
    def is_from_here(self) -> bool:
        """Whether this host itself gave it to Postfix."""
        return bool(self.uid) or "[127.0.0.1]" in self.client or "[::1]" in self.client


@dataclass
class Mail:
    """All messages that the journals know, and the refusals of messages that never were in a queue."""

    messages: list[Message] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def gathered(found: Iterable[Entry]) -> Mail:
    """Return the messages in the entries of all hosts; those of a host are in the order of time."""
    return _Gathering().of(found)


class _Gathering:
    """The state while entries are read."""

    def __init__(self) -> None:
        self.mail = Mail()
        self.now: dict[tuple[str, str], Message] = {}
        self.sessions: dict[tuple[str, str], Session] = {}
        self.scans: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self.stored: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)

    def of(self, found: Iterable[Entry]) -> Mail:
        """See ``gathered``."""
        for entry in found:
            if entry.program.startswith("postfix"):
                self._postfix(entry)
            elif entry.program == "dovecot":
                if told := lines.LMTP.fullmatch(entry.text):
                    self.stored[entry.host, told["session"], told["user"].lower()].append(entry)
            elif told := lines.SCANNED.search(entry.text):
                for queue_id in set(lines.SCANNED_ID.findall(told["text"])):
                    self.scans[entry.host, queue_id].append(entry)
        for message in self.mail.messages:
            message.scan = self._scan(message)
            message.deliveries = [self._with_stored(each, message.host) for each in message.deliveries]
        return self.mail

    def _postfix(self, entry: Entry) -> None:
        if told := lines.QUEUED.fullmatch(entry.text):
            self._queued(entry, *told.groups())
        elif entry.text.startswith("NOQUEUE: "):
            if refused := _refusal(entry, entry.text.removeprefix("NOQUEUE: ")):
                self.mail.refusals.append(refused)
        elif told := lines.CONNECTED.fullmatch(entry.text):
            self.sessions[entry.host, entry.pid] = Session(told["client"], entry.at)
        elif (told := lines.TLS.fullmatch(entry.text)) and (entry.host, entry.pid) in self.sessions:
            key = entry.host, entry.pid
            self.sessions[key] = self.sessions[key]._replace(tls=told["version"])

    def _queued(self, entry: Entry, queue_id: str, text: str) -> None:
        message = self.now.get((entry.host, queue_id))
        begins = message is not None and text.startswith(("client=", "uid=")) and message.begun
        if message is None or message.removed or begins:  # a short ID is used again
            message = self.now[entry.host, queue_id] = Message(entry.host, queue_id, entry.at)
            self.mail.messages.append(message)
        take = getattr(self, f"_{entry.daemon}", None) if entry.daemon in _BY_DAEMON else None
        if refused := _refusal(entry, text):
            message.refusals.append(refused)
        elif take:
            take(entry, message, text)
        elif told := lines.DELIVERY.fullmatch(text):
            to, asked, relay, dsn, status, reason = told.groups()
            message.deliveries.append(Delivery(entry, to, asked or "", relay, dsn, status, reason))

    def _smtpd(self, entry: Entry, message: Message, text: str) -> None:
        if told := lines.CLIENT.fullmatch(text):
            message.client = told["client"]
            session = self.sessions.get((entry.host, entry.pid))
            if session and session.client == message.client:
                message.tls = session.tls
            more = told["more"]
            if user := lines.LOGIN.search(more):
                message.user = user["user"]
            if message.is_from_here and (origin := lines.ORIGIN.match(more)):
                message.origin = origin["id"]

    def _pickup(self, entry: Entry, message: Message, text: str) -> None:
        if told := lines.LOCAL.fullmatch(text):
            message.uid = told["uid"]

    def _cleanup(self, entry: Entry, message: Message, text: str) -> None:
        if text == "removed (canceled)":  # Postfix 3.10, of a refused message
            message.removed = entry
        elif not message.message_id and (told := lines.MESSAGE_ID.fullmatch(text)):
            message.message_id = told["id"]

    def _qmgr(self, entry: Entry, message: Message, text: str) -> None:
        if told := lines.ACTIVE.fullmatch(text):
            message.sender, message.size = told["sender"], int(told["size"])
            message.recipients = int(told["recipients"])
        elif lines.EXPIRED.fullmatch(text):
            message.expired = entry
        elif text == "removed":
            message.removed = entry

    def _bounce(self, entry: Entry, message: Message, text: str) -> None:
        if told := lines.NOTICE.fullmatch(text):
            message.notices.append((entry, told["kind"], told["id"]))

    def _scan(self, message: Message) -> Entry | None:
        """Return rspamd's line about a message: the ID is compared too, as it may imitate a queue ID."""
        wanted = f"rspamd_task_write_log: id: {message.message_id}, qid: <{message.queue_id}>, "
        bare = wanted.replace(f"id: {message.message_id},", f"id: <{message.message_id.strip('<>')}>,", 1)
        for entry in self.scans.get((message.host, message.queue_id), ()):
            if (wanted in entry.text or bare in entry.text) and entry.at >= message.at - 1:
                return entry
        return None

    def _with_stored(self, delivery: Delivery, host: str) -> Delivery:
        session = lines.SESSION.match(delivery.reason)
        if not session:
            return delivery
        bare = delivery.to.lower()
        local, _, domain = bare.rpartition("@")
        users = {bare, f"{local.partition('+')[0]}@{domain}"}
        told = (self.stored.get((host, session["id"], user), ()) for user in sorted(users))
        return delivery._replace(stored=tuple(entry for some in told for entry in some))


_BY_DAEMON = ("smtpd", "pickup", "cleanup", "qmgr", "bounce")


def _refusal(entry: Entry, text: str) -> Refusal | None:
    told = lines.REFUSAL.fullmatch(text)
    if not told:
        return None
    return Refusal(entry, told["stage"], told["client"], told["reply"], told["sender"], told["to"] or "")
