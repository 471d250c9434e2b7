"""A crowd of accounts as a real server has them: 50 domains, 2,000 users, 3,000 aliases; always the same.

Names are written in six scripts, domains as their owners write them (`müller-söhne.example`). Local parts are
derived from names as people do it: `j.mueller`, `dimitris.papadopoulos`, `wei.zhang3`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
from typing import Any

DOMAINS, USERS, ALIASES = 50, 2_000, 3_000

#: The hash of most users, as an old server stored it: `doveadm pw -s SHA512-CRYPT -r 5000`.
PASSWORD = "brought along"
PASSWORD_HASH = (
    "{SHA512-CRYPT}$6$rounds=5000$mailstackcrowd00$"
    "Lj7fNbxDN.iUl1Nrm0ApYwWLBh7QvLBouIkyWpuBjR7Lce02xCrQxdB2ECJYdkUeSoIEG3VnBCdHmSTioZRqg1"
)
#: Every n-th user has no hash, and gets a password of the same text.
NEW_EVERY = 200

#: Given names and family names by script, each with how it is spelt in ASCII.
_NAMES: dict[str, tuple[str, str]] = {
    "latin": (
        "Jürgen=juergen Zoë=zoe François=francois Łukasz=lukasz Åsa=asa Núria=nuria Søren=soeren Anna=anna "
        "John=john Siobhán=siobhan Emre=emre Ngọc=ngoc",
        "Müller=mueller O'Brien=o'brien Núñez=nunez Wójcik=wojcik Åkesson=akesson Ørsted=oersted Smith=smith "
        "Yıldız=yildiz Nguyễn=nguyen d'Angelo=d'angelo Müller-Lüdenscheidt=mueller-luedenscheidt",
    ),
    "cyrillic": (
        "Дмитрий=dmitrij Ольга=olga Наталія=nataliya Юрий=yurij Снежана=snezhana",
        "Щербаков=shcherbakov Іваненко=ivanenko Петрова=petrova Достоевский=dostoevskij",
    ),
    "greek": (
        "Δημήτρης=dimitris Ελένη=eleni Γιώργος=giorgos",
        "Παπαδόπουλος=papadopoulos Οικονόμου=oikonomou Νικολαΐδης=nikolaidis",
    ),
    "han": ("伟=wei 秀英=xiuying さくら=sakura 민준=minjun", "张=zhang 王=wang 佐藤=sato 김=kim"),
    "arabic": ("محمد=mohammed فاطمة=fatima", "الحسن=al-hassan حداد=haddad"),
    "devanagari": ("अनिल=anil प्रिया=priya", "शर्मा=sharma पटेल=patel"),
}
_DOMAINS = [
    "müller-söhne.example",
    "bücher.example",
    "naïve-café.example",
    "żółw.example",
    "smørrebrød.example",
    "почта.example",
    "ελλάδα.example",
    "例え.example",
    "메일.example",
    "شبكة.example",
    "भारत.example",
    "example.org",
    "example.net",
]
_ROLES = [
    "info",
    "sales",
    "support",
    "billing",
    "hr",
    "office",
    "press",
    "jobs",
    "abuse",
    "security",
    "webmaster",
    "noreply",
    "team",
]


def data(seed: int = 1) -> dict[str, Any]:
    """Return `mail_domains`, `mail_users`, `mail_aliases` for the crowd, as plain data of an inventory."""
    chance = random.Random(seed)
    domains = [*_DOMAINS, *(f"customer{number}.example" for number in range(DOMAINS - len(_DOMAINS)))]
    taken: set[str] = set()
    users = [_user(number, _free(_local_parts(chance), domains, chance, taken)) for number in range(USERS)]
    emails = [user["email"] for user in users]
    aliases: dict[str, list[str]] = {f"@{domain}": [chance.choice(emails)] for domain in domains[::10]}
    while len(aliases) < ALIASES:
        source = _free(_alias_names(chance), domains, chance, taken)
        aliases[source] = chance.sample(emails, chance.choice((1, 1, 1, 2, 5)))
        if chance.random() < 0.1:
            aliases[source].append(f"someone{len(aliases)}@elsewhere.example")
    return {"mail_domains": domains, "mail_users": users, "mail_aliases": aliases}


def _user(number: int, email: str) -> dict[str, Any]:
    password = {"password_hash": PASSWORD_HASH} if number % NEW_EVERY else {"initial_password": PASSWORD}
    return {"email": email, "quota_mb": 500 * (1 + number % 4), **password}


def _free(names: Iterator[str], domains: list[str], chance: random.Random, taken: set[str]) -> str:
    """Return the first unused address; users are not spread evenly over domains."""
    domain = domains[min(int(chance.expovariate(0.1)), len(domains) - 1)]
    address = next(found for name in names if (found := f"{name}@{domain}") not in taken)
    taken.add(address)
    return address


def _local_parts(chance: random.Random) -> Iterator[str]:
    weights = (6, 3, 2, 2, 1, 1)
    script = chance.choices(list(_NAMES), weights)[0]
    given, family = (chance.choice(names.split()).partition("=")[2] for names in _NAMES[script])
    forms = [f"{given}.{family}", f"{given[0]}.{family}", given, f"{family}_{given}", f"{given}{family}"]
    chance.shuffle(forms)
    yield from forms
    yield from (f"{forms[0]}{number}" for number in count(2))


def _alias_names(chance: random.Random) -> Iterator[str]:
    role = chance.choice(_ROLES)
    yield role
    yield from _local_parts(chance)
