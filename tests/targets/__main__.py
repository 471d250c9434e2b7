"""`python -m tests.targets …`: what the Makefile calls."""

from __future__ import annotations

import argparse
import sys

from tests.targets import demo, engine, images, networks
from tests.targets.containers import Target
from tests.targets.shell import TargetError, docker, step


def main() -> None:
    """Parse the command line and run the command; exit with 1 and one clear line on an error."""
    parser = argparse.ArgumentParser(prog="python -m tests.targets", description="Docker targets")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("images", help="make sure that the Docker engine runs and all images are there")
    commands.add_parser("clean", help="remove every container, image, network and volume named mailstack…")
    for name, text in (
        ("demo", "make the demo, or bring it up to date"),
        ("up", "start a bare target to try things on"),
        ("down", "remove that"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--debian", type=int, choices=sorted(images.CODENAMES), default=12)
        if name == "demo":
            command.add_argument("--acme", action="store_true", help="with a certificate of a CA beside it")
    args = parser.parse_args()
    try:
        if args.command == "clean":
            clean()
            return
        engine.ensure()
        if args.command == "images":
            images.all_images()
        elif args.command == "demo":
            demo.run(args.debian, acme=args.acme)
        elif args.command == "up":
            print("@docker/" + scratch(args.debian).create().name)
        else:
            scratch(args.debian).remove()
    except TargetError as error:
        sys.exit(f"mailstack targets: {error}")


def scratch(debian: int) -> Target:
    """Return a bare target to try things on by hand."""
    return Target(f"{networks.TEST_NAME}-scratch-{debian}", debian, networks.test(debian))


def clean(prefix: str = "mailstack") -> None:
    """Remove every container, image, network and volume whose name starts with `prefix`."""
    if not engine.answers():
        return
    with step(f"removing what is named {prefix}…"):
        for name in _named(prefix, "ps", "--all", "--format", "{{.Names}}"):
            docker("rm", "--force", "--volumes", name)
        for name in images.named(prefix):
            docker("rmi", "--force", name)
        for kind in ("network", "volume"):
            for name in _named(prefix, kind, "ls", "--format", "{{.Name}}"):
                docker(kind, "rm", name)


def _named(prefix: str, *query: str) -> list[str]:
    return [name for name in docker(*query).stdout.split() if name.startswith(prefix)]


if __name__ == "__main__":
    main()
