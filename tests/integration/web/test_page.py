"""The page for people, in Chromium, on the width of a telephone and of a desk."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.support.browser import Browser
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

URL = "https://autoconfig.example.org/"


class Screen(NamedTuple):
    """The size of a screen in CSS pixels."""

    width: int
    height: int
    phone: bool = False


SCREENS = [Screen(360, 740, phone=True), Screen(390, 844, phone=True), Screen(1280, 800)]

#: Elements with text of their own, and the contrast of each to what is behind it (WCAG 2.2, 1.4.3), for which
#: a colour that lets through counts as none.
CONTRAST = """
(() => {
  const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
  const luminance = colour => numbers(colour).slice(0, 3).map(each => each / 255)
    .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if ((numbers(colour)[3] ?? 1) == 1) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const own = element => [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim());
  const all = [...document.body.querySelectorAll('*')];
  return all.filter(each => own(each) && !each.closest('svg')).map(each => {
    const pair = [getComputedStyle(each).color, behind(each)].map(luminance).sort((a, b) => b - a);
    return [(pair[0] + 0.05) / (pair[1] + 0.05), each.textContent.slice(0, 40)];
  });
})()
"""
#: Of each picture: its name for those who can't see it, its box, and whether a text in it leaves its frame.
PICTURES = """
[...document.querySelectorAll('li > svg')].map(picture => {
  const box = picture.getBoundingClientRect();
  const out = [...picture.querySelectorAll('text')].filter(text => {
    const own = text.getBoundingClientRect();
    return own.left < box.left || own.right > box.right || own.top < box.top || own.bottom > box.bottom;
  });
  return {name: picture.getAttribute('aria-label'), role: picture.getAttribute('role'), left: box.left,
    right: box.right, width: box.width, height: box.height, out: out.map(text => text.textContent)};
})
"""


@pytest.fixture(scope="module")
def chromium(desk: Target, web_server: Target) -> Any:
    """Yield a browser that finds every name at the server."""
    with Browser(desk, web_server.ip) as browser:
        yield browser


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: str(screen.width))
def test_it_fits(chromium: Browser, screen: Screen) -> None:
    chromium.screen(*screen[:2], phone=screen.phone)
    chromium.open(URL)
    assert chromium.value("innerWidth") == screen.width
    assert chromium.value("document.documentElement.scrollWidth") <= screen.width
    pictures = chromium.value(PICTURES)
    # one for each step
    assert len(pictures) == chromium.value("document.querySelectorAll('ol.steps > li').length") >= 12
    for picture in pictures:
        assert picture["name"] and picture["role"] == "img"
        assert picture["left"] >= 0 and picture["right"] <= screen.width
        assert picture["width"] > 200 and picture["height"] > 120
        assert picture["out"] == []


def test_a_long_domain_fits_as_well(chromium: Browser) -> None:
    domain = f"{'long-' * 12}x.{'domain-' * 8}x.example"
    chromium.screen(360, 740, phone=True)
    chromium.open(f"https://autoconfig.{domain}/")
    assert domain in chromium.value("document.title")
    assert chromium.value("document.documentElement.scrollWidth") <= 360


def test_it_asks_nobody_else_and_has_no_faults(chromium: Browser) -> None:
    chromium.open(URL)
    assert [url for url in chromium.requests() if not url.startswith("data:")] == [URL]
    assert chromium.complaints() == []
    assert chromium.value("document.scripts.length") == 0
    assert chromium.value("document.documentElement.lang") == "en"
    assert "[" not in chromium.value("document.body.innerText")
    # its style is not blocked by its own policy
    assert chromium.value("getComputedStyle(document.querySelector('.button')).borderRadius") != "0px"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read(chromium: Browser, dark: bool) -> None:
    chromium.screen(1280, 800, dark=dark)
    chromium.open(URL)
    background = chromium.value("getComputedStyle(document.body).backgroundColor")
    assert (int(background.split("(")[1].split(",")[0]) < 128) == dark
    ratios = chromium.value(CONTRAST)
    assert len(ratios) > 40
    assert [text for ratio, text in ratios if ratio < 4.5] == []


def test_it_speaks_of_the_domain(chromium: Browser) -> None:
    for name, domain in (("autoconfig.added.example", "added.example"), ("mail.example.org", "example.org")):
        chromium.open(f"https://{name}/")
        assert domain in chromium.value("document.title")
        assert f"for an address at {domain}" in chromium.value("document.body.innerText")
        assert f"you@{domain}" in chromium.value("document.body.textContent")


def test_each_link_leads_somewhere(chromium: Browser) -> None:
    chromium.open(URL)
    missing = (
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(link => link.hash)"
        ".filter(hash => !document.querySelector(hash))"
    )
    assert chromium.value(missing) == []
    others = "[...document.querySelectorAll('a:not([href^=\"#\"])')].map(link => link.getAttribute('href'))"
    assert chromium.value(others) == ["/mail.mobileconfig"]
