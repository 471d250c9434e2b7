"""The command ``mailstack`` and those that are not operations: ``deploy``, ``init``, ``completion``."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import get_completion_class

from mailstack.cli.commands import command_of
from mailstack.cli.examples import epilog
from mailstack.cli.init import init
from mailstack.cli.options import SHARED, dashed
from mailstack.cli.start import deploys, start
from mailstack.cli.verbs import names

#: Messages name options as pyinfra takes them: `--password_from` is `--password-from`
CONTEXT = {"help_option_names": ["-h", "--help"], "token_normalize_func": dashed}
SHELLS = ("bash", "zsh", "fish")


class Commands(click.Group):
    """The commands that are written here, and all that pyinfra can call, found when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*self.commands, *map(dashed, names())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name, if there is one."""
        return self.commands.get(cmd_name) or command_of(cmd_name)


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(package_name="mailstack", message="%(prog)s %(version)s")
def mailstack() -> None:
    """Set up mail servers, and look after them.

    Each command acts on the hosts of inventory.py in the working folder, which `mailstack init` makes.
    `mailstack COMMAND --help` has the options and examples.

    It ends with 0 if all is well, with 1 if something failed or needs a person, and with 2 for wrong usage:
    nothing was changed then.
    """


def _deploy(files: tuple[str, ...], **options: Any) -> None:
    """Bring the hosts into the state that the inventory declares.

    FILES are the deploys in Python: without them, deploy.py in the working folder or beside the inventory.
    """
    start(deploys(files, options["inventory"]), options)


_SERIAL = click.Option(
    ["--serial"],
    is_flag=True,
    help="One host after the other, those with the database first; the first that fails ends the run. With "
    "mail_verify = True, each is verified before the next.",
)

mailstack.add_command(
    click.Command(
        "deploy",
        callback=_deploy,
        params=[click.Argument(["files"], nargs=-1, required=False), _SERIAL, *SHARED],
        help=_deploy.__doc__,
        epilog=epilog(
            (
                "mailstack deploy --dry --diff",
                "mailstack deploy",
                "mailstack deploy -y --limit mail.example.org",
                "mailstack deploy --serial",
            )
        ),
    )
)
mailstack.add_command(init)


@mailstack.command(
    epilog=epilog(
        (
            "mailstack completion bash > ~/.local/share/bash-completion/completions/mailstack",
            "mailstack completion zsh > ~/.zfunc/_mailstack    # with ~/.zfunc in fpath",
            "mailstack completion fish > ~/.config/fish/completions/mailstack.fish",
        )
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script with which a shell completes commands and options."""
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"click has no completion for {shell}")
    click.echo(made(mailstack, {}, "mailstack", "_MAILSTACK_COMPLETE").source())
