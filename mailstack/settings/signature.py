"""The arguments of ``Settings`` for editors and type checkers, made from the model itself.

Run ``python -m mailstack.settings.signature > mailstack/settings/given.py`` after a change; a test compares
the two. Settings accept other types than the model stores: a list for a tuple, a dictionary for a model, text
for a secret. So type checkers can't use the fields.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from mailstack.settings import Settings

_NAMES = {str: "str", int: "int", bool: "bool", NoneType: "None", SecretStr: "Secret"}
_INTRODUCTION = '''\
"""Made by `python -m mailstack.settings.signature`. Do not edit. Only type checkers and editors read it."""

from collections.abc import Mapping
from typing import Any, Literal, Required, TypedDict

from pydantic import SecretStr
from pyinfra.api.hiddenvalue import HiddenValue

Secret = str | SecretStr | HiddenValue
List = list[Any] | tuple[Any, ...]


class GivenSettings(TypedDict, total=False):
    """The settings that an inventory or a deploy may give."""

'''


def signature() -> str:
    """Return the text of the whole module."""
    lines = []
    for name, field in sorted(Settings.model_fields.items()):
        kind = _given(field.annotation)
        lines.append(f"    {name}: {f'Required[{kind}]' if field.is_required() else kind}\n")
    return _INTRODUCTION + "".join(lines)


def _given(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _given(arguments[0])
    if origin is Literal:
        return str(annotation).removeprefix("typing.").replace("'", '"')
    if origin in (Union, UnionType):
        return " | ".join(map(_given, arguments))
    if origin is dict:
        return "Mapping[str, Any]"
    if origin is tuple:
        item = get_args(arguments[0])[0] if get_origin(arguments[0]) is Annotated else arguments[0]
        return "List | Mapping[str, Any]" if issubclass(item, BaseModel) else "List"
    return _NAMES[annotation]  # type: ignore[index]  # an unknown type should fail


if __name__ == "__main__":
    print(signature(), end="")
