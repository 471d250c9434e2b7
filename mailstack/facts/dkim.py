"""The DKIM keys of a host's domains, and their DNS records. The private keys stay on the host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mailstack.facts.fact import Fact, Names, Question, Value, listed
from mailstack.text import lines_of

KEYS = "/var/lib/rspamd/dkim"
"""The directory of the keys; ``templates/rspamd/dkim-keys.j2`` says what is in it."""

_ALL = "*"


@dataclass(frozen=True)
class DkimKey(Value):
    """A key; its DNS record has the type TXT.

    + domain: the domain that it signs for
    + selector: its name
    + data: the data of the record, as in a zone file
    + signs: whether mail is signed with it: not before ``mailstack.dkim.switch`` for one that is newer
    + since: when the keys that sign were chosen; ``None`` if none of the domain's do
    """

    domain: str
    selector: str
    data: str
    signs: bool
    since: datetime | None = None


class DkimKeys(Fact[dict[str, DkimKey]]):
    """Return the DKIM keys by the names of their DNS records: ``dict[str, DkimKey]``.

    + domains: the domains; without them, all that have keys
    """

    default = dict

    def command(self, domains: Names = ()) -> str:
        """Read the directories of these domains."""
        return self.asking(listed(domains) or [_ALL])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        places = " ".join("*" if domain == _ALL else shlex.quote(domain) for domain in about)
        return f"""cd {KEYS} && for domain in {places}; do
  for record in "$domain"/rsa[0-9]*.txt "$domain"/ed[0-9]*.txt; do
    selector=${{record#*/}} selector=${{selector%.txt}}
    [ -s "$domain/$selector.key" ] || continue
    grep -qxF "$selector" "$domain/current" && signs=yes || signs=no
    printf '%s\\t%s\\t%s\\t%s\\t' "$domain" "$selector" "$signs" "$(stat -c %Y "$domain/current")"
    head -n 1 "$record" | grep '^"v=DKIM1' || echo
  done
done"""

    def parse(self, output: str) -> dict[str, DkimKey]:
        """See ``Question.parse``."""
        lines = [line.split("\t", 4) for line in lines_of(output) if line]
        keys = (
            DkimKey(domain, selector, data, signs == "yes", _time(since))
            for domain, selector, signs, since, data in lines
        )
        return {
            f"{key.selector}._domainkey.{key.domain}": key
            for key in keys
            if key.data and (key.domain in self.about or _ALL in self.about)
        }


class RetiredKeys(Question[tuple[str, ...]]):
    """Return the names of the DNS records of keys that the host had, and deleted."""

    def command(self) -> str:
        """Read the lists of all domains."""
        return self.asking([KEYS])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return f"cd {about[0]} && grep -H . */retired"

    def parse(self, output: str) -> tuple[str, ...]:
        """See ``Question.parse``."""
        found = re.findall(r"^([a-z0-9.-]+)/retired:((?:rsa|ed)[0-9]+)$", output, re.MULTILINE)
        return tuple(f"{selector}._domainkey.{domain}" for domain, selector in found)


RETIRED_KEYS = RetiredKeys.of()


def _time(seconds: str) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if seconds else None
