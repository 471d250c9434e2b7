"""Start the console command ``mailstack``.

pyinfra's command line replaces parts of Python by those of gevent, which must happen before anything else is
imported. A module within ``mailstack`` would come too late, as Python imports the whole package first.
"""

import pyinfra_cli  # type: ignore[import-untyped]  # noqa: F401


def main() -> None:
    """Run the command of ``sys.argv``."""
    from mailstack.cli.main import mailstack

    mailstack(prog_name="mailstack")


if __name__ == "__main__":
    main()
