"""The reference of all settings, made from the model itself.

Run ``python -m mailstack.settings.reference > docs/settings.md`` after a change; a test compares the two.
"""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from mailstack.settings import Settings
from mailstack.settings.accounts import Alias, AppPassword, User
from mailstack.settings.domains import AliasDomain, Domain, RelayDomain
from mailstack.settings.errors import allowed
from mailstack.settings.firewall import FirewallPort
from mailstack.settings.postfix_master import MasterService
from mailstack.settings.postfix_relays import SenderRelay

_PARTS: tuple[type[BaseModel], ...] = (
    Domain,
    User,
    AppPassword,
    Alias,
    AliasDomain,
    RelayDomain,
    SenderRelay,
    MasterService,
    FirewallPort,
)
_NAMES = {str: "text", int: "number", bool: "true or false", SecretStr: "secret text"}
_INTRODUCTION = """\
<!-- Made by `python -m mailstack.settings.reference`. Do not edit. -->
# Settings

Set these as host or group data in the inventory, or with `--data name=value`. Only `mail_hostname` is
required; with one of `mail_domains` it makes a correct server. As group data of all hosts, in
`group_data/all.py` beside the inventory:

```python
mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
```

As data of a host, in the dictionary that `mailstack init` writes, these are `"mail_hostname": …` and
`"mail_domains": …`. Outside of such a dictionary, pyinfra takes nothing in `inventory.py` for a setting.

A misspelt name or an impossible value stops the run before any host is touched. Types are strict: `"25"` is
not a number, and `"example.org"` is not a list. A secret is never printed, not even in an error message. It
may be given as pyinfra's `HiddenValue`.

Four group names of the inventory have a meaning: a host in `db` has the database, a host in `mx` and `imap`
receives and keeps mail, one in `proxy` passes mail and logins on, and a host in none of the four does
everything ([several-hosts.md](several-hosts.md)).
"""


def reference() -> str:
    """Return the whole page, in Markdown."""
    groups = [group for group in reversed(Settings.__bases__) if issubclass(group, BaseModel)]
    tables = [_section(str(group.__doc__).removesuffix("."), "", group) for group in groups]
    tables += [_section(part.__name__, f"{part.__doc__}\n\n", part) for part in _PARTS]
    return "\n".join([_INTRODUCTION, *tables])


def _section(title: str, introduction: str, model: type[BaseModel]) -> str:
    rows = [_row(name, field) for name, field in model.model_fields.items()]
    head = "| Name | Type | Default | Meaning |\n|---|---|---|---|\n"
    return f"## {title}\n\n{introduction}{head}" + "".join(rows)


def _row(name: str, field: FieldInfo) -> str:
    rule = allowed(field) or ", ".join(f"`{option}`" for option in _options(field.annotation))
    meaning = f"{field.description}" + (f" Allowed: {rule}." if rule else "")
    cells = [f"`{name}`", type_name(field.annotation), _default(field), meaning]
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def type_name(annotation: object) -> str:
    """Return the type in plain words, such as ``list of text``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(arguments[0])
    if origin is Literal:
        return "text"
    if origin in (Union, UnionType):
        return type_name(arguments[0])
    if origin is tuple:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return "dictionary"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _NAMES[annotation]  # type: ignore[index]  # an unknown type should fail


def _options(annotation: object) -> tuple[object, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default is None else f"`{_as_written(field.default)!r}`"


def _as_written(value: object) -> object:
    """Return a default as an inventory has it: lists, not tuples."""
    if isinstance(value, dict):
        return {key: _as_written(item) for key, item in value.items()}
    return [_as_written(item) for item in value] if isinstance(value, tuple) else value


if __name__ == "__main__":
    print(reference(), end="")
