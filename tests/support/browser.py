"""A web browser in a container: Chromium without a screen, driven by its DevTools protocol.

It reads commands from file descriptor 3 and writes to 4 (`--remote-debugging-pipe`), JSON that ends with NUL.
So no port is open, and no client library is needed. See https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support import clients
from tests.targets import images
from tests.targets.containers import Target
from tests.targets.networks import Network
from tests.targets.shell import TargetError

_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # of the tests' own authority, or of none
    "--ignore-certificate-errors",
)


def machine(name: str, network: Network, *, keep: bool = False) -> Target:
    """Return the machine with the browser.

    `keep` reuses a running one.
    """
    target = Target(name, 13, network, hostname="desk.example.net")
    return target if keep and target.running() else target.create(images.browser_image())


class Browser:
    """Chromium with one page. All names lead to `address`, if that is given."""

    def __init__(self, machine: Target, address: str | None = None) -> None:
        rules = ["--host-resolver-rules=MAP * " + address] if address else []
        start = (
            'profile=$(mktemp -d); exec chromium "$@" --user-data-dir="$profile" --remote-debugging-pipe '
            "about:blank 3<&0 4>&1 </dev/null >/dev/null 2>/tmp/chromium.log"
        )
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", machine.name, "sh", "-c", start, "sh", *_OPTIONS, *rules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._number, self._text = 0, b""
        self._session: str | None = None
        self._last = ""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        pages = clients.eventually(self._pages, "no page", 120)
        attached = self.call("Target.attachToTarget", targetId=pages[0], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = None
        try:
            self.call("Browser.close")
            self._process.wait(30)
        except (TargetError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(30)

    def _pages(self) -> list[str]:
        found = self.call("Target.getTargets")["targetInfos"]
        return [each["targetId"] for each in found if each["type"] == "page"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result; `TargetError` if it fails."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        assert self._process.stdin
        try:
            os.write(self._process.stdin.fileno(), json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise TargetError("the browser has ended") from None
        while True:
            said = self._next(time.monotonic() + 120)
            if said.get("id") == self._number:
                if "error" in said:
                    raise TargetError(f"{method}: {said['error']}")
                result: dict[str, Any] = said["result"]
                return result
            self.events.append(said)

    def _next(self, deadline: float) -> dict[str, Any]:
        """Return the next message, an answer or an event."""
        assert self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\0" not in self._text:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise TargetError("the browser does not answer")
                more = os.read(self._process.stdout.fileno(), 1 << 20)
                if not more:
                    raise TargetError("the browser has ended")
                self._text += more
        first, _, self._text = self._text.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message

    def screen(self, width: int, height: int, *, phone: bool = False, dark: bool = False) -> None:
        """Set the size of the screen, and whether it is that of a telephone; and whether colours are dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Open a page, and wait until it is loaded; `events` are those since then."""
        self.events.clear()
        said = self.call("Page.navigate", url=url)
        if "errorText" in said:
            raise TargetError(f"{url}: {said['errorText']}")
        clients.eventually(
            lambda: any(event.get("method") == "Page.loadEventFired" for event in self._seen()),
            f"{url} is not loaded",
            120,
        )

    def _seen(self) -> list[dict[str, Any]]:
        self.value("0")  # reads all events of before
        return self.events

    def value(self, expression: str) -> Any:
        """Return the value of an expression in JavaScript, as the page sees it."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise TargetError(f"{expression}: {said['exceptionDetails']}")
        return said["result"].get("value")

    def until(self, expression: str, timeout: float = 60) -> Any:
        """Return the value of an expression once it is true, also over changes of the page."""

        def look() -> Any:
            try:
                return self.value(expression)
            except TargetError as error:
                # the page is just replaced, or has no such element yet
                self._last = str(error)
                return None

        self._last = ""
        try:
            return clients.eventually(look, expression, timeout)
        except TimeoutError as error:
            raise TargetError(f"{error}; {self._last[:500]}") from None

    def requests(self) -> list[str]:
        """Return the addresses that the page has asked for since it was opened."""
        events = [each for each in self._seen() if each.get("method") == "Network.requestWillBeSent"]
        return [str(each["params"]["request"]["url"]) for each in events]

    def complaints(self) -> list[str]:
        """Return the errors and warnings of the console since the page was opened."""
        said = []
        for event in self._seen():
            parameters = event.get("params", {})
            if event.get("method") == "Log.entryAdded":
                said.append(f"{parameters['entry']['level']}: {parameters['entry']['text']}")
            elif event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                said.append(json.dumps(parameters)[:500])
        return said

    def picture(self, path: Path) -> None:
        """Write a picture of the whole page to a file, to look at."""
        said = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(said["data"]))
