"""The images: `mailstack-target` (bare Debian 12 or 13) and `mailstack-peer` (the outside world).

Tags contain a hash of the recipe, so a changed recipe makes a new image. The calendar week is part of it,
because an image's package lists grow old.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from tests.targets import engine, networks
from tests.targets.shell import TargetError, docker, locked, run, step

CODENAMES = {12: "bookworm", 13: "trixie"}
RECIPES = Path(__file__).parent / "recipes"


def target_image(debian: int) -> str:
    """Return the image of a bare Debian 12 or 13; made if it is missing."""
    recipe = (RECIPES / "target.sh").read_text()
    tag = f"mailstack-target:{debian}-{_digest(recipe, _host_apt_options())}"
    with locked(f"image-{debian}"):
        if not exists(tag):
            with step(f"making the image {tag}"):
                _provision(base_image(debian), tag, recipe, {"80mailstack-target": _host_apt_options()})
    return tag


def peer_image() -> str:
    """Return the image of the peer, which stands for the rest of the world; made if it is missing."""
    return _made_from_target("peer")


def dns_image() -> str:
    """Return the image of the DNS server; made if it is missing."""
    return _made_from_target("dns")


def browser_image() -> str:
    """Return the image of a machine with a web browser; made if it is missing."""
    return _made_from_target("browser")


def prometheus_image() -> str:
    """Return the image of a host with Prometheus; made if it is missing."""
    return _made_from_target("prometheus")


def old_server_image() -> str:
    """Return the image of a mail server that users move away from; made if it is missing."""
    return _made_from_target("old_server")


def _made_from_target(name: str) -> str:
    """Return the image that the recipe of this name makes of a bare Debian 13."""
    base = target_image(13)
    recipe = (RECIPES / f"{name}.sh").read_text()
    tag = f"mailstack-{name}:13-{_digest(base, recipe)}"
    with locked(f"image-{name}"):
        if not exists(tag):
            with step(f"making the image {tag}"):
                _provision(base, tag, recipe, {})
    return tag


def ca_image() -> str:
    """Return the image of the CA; made if it is missing."""
    base = target_image(13)
    recipe = (RECIPES / "acme.sh").read_text()
    tag = f"mailstack-ca:13-{_digest(base, recipe)}"
    with locked("image-ca"):
        if not exists(tag):
            with step(f"making the image {tag}"):
                _provision(base, tag, recipe, {})
    return tag


def all_images() -> list[str]:
    """Return all three; those of the two Debians side by side."""
    with ThreadPoolExecutor() as pool:
        makers = (lambda: target_image(12), lambda: (target_image(13), peer_image()))
        futures = [pool.submit(maker) for maker in makers]
        for future in futures:
            future.result()
    return [target_image(12), target_image(13), peer_image()]


def exists(tag: str) -> bool:
    """Return whether the engine has the image `tag`."""
    return docker("image", "inspect", tag, check=False).returncode == 0


def base_image(debian: int) -> str:
    """Return Debian's own image or, if nothing can be pulled, one bootstrapped here."""
    published, own = f"debian:{debian}", f"mailstack-debian:{debian}-{date.today():%GW%V}"
    if exists(own) or exists(published):
        return own if exists(own) else published
    can_bootstrap = os.geteuid() == 0 and shutil.which("apt-get") is not None
    try:
        docker("pull", "-q", published, timeout=20 if can_bootstrap else 600)
        return published
    except TargetError as error:
        if not can_bootstrap:
            raise TargetError(
                f"{published} cannot be pulled, nor bootstrapped but as root on Debian"
            ) from error
    _bootstrap(debian, own)
    return own


def _bootstrap(debian: int, tag: str) -> None:
    with locked("mmdebstrap"):
        if shutil.which("mmdebstrap") is None:
            engine.apt_install("mmdebstrap", "debian-archive-keyring")
    options = [f"--aptopt={line}" for line in _host_apt_options().splitlines()]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        tar = f"{directory}/debian.tar"
        run(["mmdebstrap", "--quiet", "--variant=minbase", *options, CODENAMES[debian], tar], timeout=600)
        docker("import", tar, tag, timeout=120)


def _provision(base: str, tag: str, recipe: str, apt_conf: dict[str, str]) -> None:
    """Run `recipe` in a container of `base`, and keep the result as the image `tag`."""
    name = (
        "mailstack-build-"
        + tag.split(":")[0].removeprefix("mailstack-")
        + tag.split(":")[1].partition("-")[0]
    )
    docker("rm", "-f", name, check=False)
    docker(
        "run",
        "-d",
        "--name",
        name,
        "--network",
        networks.build(),
        "--entrypoint",
        "",
        base,
        "sleep",
        "infinity",
    )
    try:
        for file, content in apt_conf.items():
            docker("exec", "-i", name, "sh", "-c", f"cat > /etc/apt/apt.conf.d/{file}", input=content)
        docker("exec", "-i", name, "sh", "-s", input=recipe, timeout=600)
        changes = ('CMD ["/sbin/init"]', "ENTRYPOINT []", "ENV container=docker")
        docker("commit", *(f"--change={change}" for change in changes), name, tag, timeout=300)
    finally:
        docker("rm", "-f", name, check=False)
    _forget_older(tag)


def _forget_older(tag: str) -> None:
    """Remove images of the same name with other hashes; those that a container still uses stay."""
    for other in named(tag.rpartition("-")[0] + "-"):
        if other != tag:
            docker("rmi", other, check=False)


def named(prefix: str) -> list[str]:
    """Return the images whose name and tag start with `prefix`."""
    tags = docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    return [tag for tag in tags if tag.startswith(prefix)]


def _host_apt_options() -> str:
    """Return this machine's proxies and date checks for apt, so that a target can reach the mirrors too."""
    if shutil.which("apt-config") is None:
        return ""
    dump = run(["apt-config", "dump"]).stdout.splitlines()
    return "".join(
        f"{line}\n" for line in dump if re.match(r"Acquire::(Check-\S+|\S*Proxy\S*) \"..*\";", line)
    )


def _digest(*parts: str) -> str:
    week = f"{date.today():%GW%V}"
    return hashlib.sha256(json.dumps([week, *parts]).encode()).hexdigest()[:8]
