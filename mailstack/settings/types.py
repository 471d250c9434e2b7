"""The types of settings: each states its allowed values once, for validation, errors and reference."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from mailstack import addresses
from mailstack.settings.errors import Allowed, settings_error

T = TypeVar("T")

PLACEHOLDER = "@mailstack-secret:"
"""The beginning of a secret's placeholder in a file. In a setting, it would move the secret elsewhere."""


class Model(BaseModel):
    """A frozen, strict model. Raises ``SettingsError``, an ``OperationValueError``, for impossible values."""

    # Every run builds the models again, which takes time. So models that are only base classes are not built,
    # and modules with models don't import ``annotations`` from ``__future__``: pydantic would compile each as
    # text.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=True
    )

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise settings_error(type(self), error) from None


def matching(pattern: str, *, forbidden: str = r"(?!)") -> AfterValidator:
    """Return a validator for text that matches ``pattern`` as a whole and contains no ``forbidden``."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text) or re.search(forbidden, text):
            raise ValueError("not of the right form")
        return text

    return AfterValidator(check)


def as_model(model: type[BaseModel], shorthand: str | None = None) -> BeforeValidator:
    """Return a validator that accepts a dictionary for a model, and text for its field ``shorthand``."""

    def convert(value: object) -> object:
        if shorthand is not None and isinstance(value, str):
            return model(**{shorthand: value})
        if not isinstance(value, dict):
            return value
        if not all(isinstance(key, str) for key in value):
            raise ValueError("every key must be text")
        return model(**value)

    return BeforeValidator(convert)


def each(check: Callable[[str], str]) -> AfterValidator:
    """Return a validator that applies ``check`` to every text of a tuple and names the one that fails."""

    def check_all(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_named(text, check) for text in texts)

    return AfterValidator(check_all)


def _named(text: str, check: Callable[[str], str]) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def without_effect(settings: BaseModel, switch: str, names: Iterable[str]) -> None:
    """Raise ``ValueError`` if one of these settings is not its default, and ``switch`` is off."""
    if getattr(settings, switch):
        return
    for name in names:
        if name != switch and getattr(settings, name) != type(settings).model_fields[name].default:
            raise ValueError(f"{name}: needs {switch} = True")


def no_duplicates(what: str, values: list[str]) -> None:
    """Raise ``ValueError`` that names the first of ``values`` that occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {value!r} is there twice")
        seen.add(value)


def has_placeholder(value: object) -> bool:
    """Return whether a given value is or contains text with the placeholder of a secret."""
    if isinstance(value, str):
        return PLACEHOLDER in value
    if isinstance(value, Mapping):
        return any(map(has_placeholder, (*value, *value.values())))
    return isinstance(value, list | tuple) and any(map(has_placeholder, value))


def _list_to_tuple(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("must be a list, not text: put it into [ ]")
    return tuple(value) if isinstance(value, list) else value


def _text_to_list(value: object) -> object:
    return (value,) if isinstance(value, str) else _list_to_tuple(value)


def _reveal(value: object) -> object:
    """Convert ``HiddenValue``, pyinfra's wrapper for secrets, to ``SecretStr``."""
    return SecretStr(str(value.unmask())) if hasattr(value, "unmask") else value


def _check_password(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text or text != text.strip() or re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("not a password that a configuration file can contain")
    return secret


def host_name_or_address(text: str) -> str:
    """Return the normalised host name or IP address. Raises ``ValueError`` for anything else."""
    try:
        return str(addresses.ip_address(text))
    except ValueError:
        pass
    # one label is allowed: /etc/hosts or a search domain may complete it
    if not re.fullmatch(r"(?=.{1,253}$)([a-z0-9-]{1,63}[.])*(?![0-9]+$)[a-z0-9-]{1,63}", text.lower()):
        raise ValueError("neither a host name nor an IP address")
    return text.lower()


def _ip_address(text: str) -> str:
    return str(addresses.ip_address(text))


ListOf = Annotated[tuple[T, ...], BeforeValidator(_list_to_tuple)]
OneOrMore = Annotated[tuple[T, ...], BeforeValidator(_text_to_list), Field(min_length=1)]

DomainName = Annotated[str, AfterValidator(addresses.domain_name), Allowed("a domain such as `example.org`")]
MailboxAddress = Annotated[
    str,
    AfterValidator(addresses.mailbox_address),
    Allowed("an address such as `anna@example.org`; no `+`, `!`, `%`, `/`, quotes or spaces before the `@`"),
]
AliasSource = Annotated[
    str,
    AfterValidator(addresses.alias_source),
    Allowed(
        "an address such as `sales@example.org`, `@example.org` for every other address there, or `abuse@*` "
        "for that name in all domains that don't have it"
    ),
]
LocalNameOrAddress = Annotated[
    str,
    AfterValidator(addresses.local_name_or_address),
    Allowed("an address, or the name of a system user such as `root`"),
]
Host = Annotated[str, AfterValidator(host_name_or_address), Allowed("a host name or an IP address")]
IpAddress = Annotated[str, AfterValidator(_ip_address), Allowed("an IPv4 or IPv6 address")]
Megabytes = Annotated[int, Field(ge=0, le=1_000_000_000), Allowed("megabytes, 0 for no limit")]
Messages = Annotated[int, Field(ge=0, le=1_000_000_000), Allowed("a number, 0 for no limit")]
Port = Annotated[int, Field(ge=1, le=65535), Allowed("a TCP port, 1 to 65535")]
SystemId = Annotated[int, Field(ge=500, lt=65534), Allowed("a numeric id, 500 to 65533")]
Identifier = Annotated[
    str,
    matching(
        r"[a-z_][a-z0-9_]{0,62}",
        forbidden=r"^(pg_.*|postgres|template[01]|public|none|all|replication|same(user|role|group))$",
    ),
    Allowed("a lower-case SQL name, not `postgres`, no word of pg_hba.conf, not beginning with `pg_`"),
]
HostPath = Annotated[
    str,
    matching(r"(/[A-Za-z0-9._@+=,-]+)+", forbidden=r"/[.]{1,2}(/|$)"),
    Allowed("an absolute path without `..`, spaces or `%`"),
]
Line = Annotated[str, matching(r"[^\x00-\x1f\x7f]+"), Allowed("one line of text")]
Text = Annotated[str, matching(r"[^\x00]*"), Allowed("text")]
Secret = Annotated[SecretStr, BeforeValidator(_reveal)]
Password = Annotated[
    Secret,
    AfterValidator(_check_password),
    Allowed("one line of text, without spaces around it or control characters"),
]
