"""A service in Postfix's ``master.cf``, as master(5) describes it. Pure."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from mailstack.settings.errors import Allowed
from mailstack.settings.types import Line, Model, matching


def parameter_text(value: object) -> object:
    """Return a parameter's value as ``main.cf`` has it: ``yes`` or ``no``, a number, or text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else value


ParameterName = Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9_-]*")]
ParameterValue = Annotated[
    str,
    BeforeValidator(parameter_text),
    matching(r"[^\x00-\x08\x0a-\x1f\x7f]*"),
]
Parameters = Annotated[
    dict[ParameterName, ParameterValue],
    Allowed("a dictionary of Postfix parameters; each value one line of text, a number or true or false"),
]
Count = Annotated[int, Field(ge=0), Allowed("a number, 0 or more")]


class MasterService(Model):
    """A line of master(5). A column without a value keeps Postfix's default, written as a dash."""

    name: Annotated[
        str,
        matching(r"[A-Za-z0-9\[][A-Za-z0-9._:/\[\]-]*"),
        Allowed("a service name; for `inet` a port, or `host:port`"),
    ] = Field(description="The service name.")
    type: Literal["inet", "unix", "unix-dgram", "fifo", "pass"] = Field(description="The kind of socket.")
    private: bool | None = Field(default=None, description="Whether only Postfix itself may connect.")
    unpriv: bool | None = Field(default=None, description="Whether it runs as the system user `postfix`.")
    chroot: bool | None = Field(
        default=None, description="Whether it runs with the queue directory as its root directory."
    )
    wakeup: (
        Annotated[
            str,
            BeforeValidator(parameter_text),
            matching(r"[0-9]+[?]?"),
            Allowed("seconds; with `?` after them, only if the service is in use"),
        ]
        | None
    ) = Field(default=None, description="Seconds between wake-ups.")
    maxproc: Count | None = Field(default=None, description="How many may run at once; 0: no limit.")
    command: Line = Field(description="The program and its arguments.")
    options: Parameters = Field(
        default={}, description="Parameters for this service alone (`-o name=value`)."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.type == "inet" and self.private:
            raise ValueError(f"{self.name}: a service of type inet can't be private")
        for name, value in self.options.items():
            if not _balanced(value):
                raise ValueError(f"{self.name}: the braces in the value of {name} do not match")
        return self

    def render(self) -> str:
        """Return the entry as ``master.cf`` has it, one line for each option, with a newline at the end."""
        flags = [_flag(value) for value in (self.private, self.unpriv, self.chroot)]
        numbers = [self.wakeup or "-", "-" if self.maxproc is None else str(self.maxproc)]
        columns = [f"{self.name:<12}", f"{self.type:<5}", *(f"{v:<7}" for v in flags + numbers), self.command]
        lines = [" ".join(columns), *(f"  -o {_option(name, value)}" for name, value in self.options.items())]
        return "\n".join(lines) + "\n"


def _flag(value: bool | None) -> str:
    return {None: "-", True: "y", False: "n"}[value]


def _option(name: str, value: str) -> str:
    """Return ``name=value``, in braces where the value has spaces (Postfix 3.0 and later)."""
    plain = not any(character in value for character in " \t{}")
    return f"{name}={value}" if plain else f"{{ {name} = {value} }}"


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0
