"""The page in a real Chromium: content, both widths, both themes, no word to any other host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from services.dashboard.app import dashboard
from services.dashboard.server import PageServer
from tests.services.dashboard.a_day import Day, a_filled_day, an_empty_day
from tests.support.chromium import WIDTHS, a_browser, needs_chromium

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from a_browser()


@pytest.fixture(scope="module")
def filled() -> Iterator[PageServer]:
    yield from _served(a_filled_day())


@pytest.fixture
def empty() -> Iterator[PageServer]:
    yield from _served(an_empty_day())


def _served(day: Day) -> Iterator[PageServer]:
    server = PageServer(dashboard(day.model, day.catalogue, title="a test"))
    server.start()
    yield server
    server.stop()


class Watched:
    """A page, all hosts that it asked for, and everything that it complained about."""

    def __init__(
        self, browser: Browser, width: int, height: int, scheme: Literal["light", "dark"] = "light"
    ) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
        )
        self.page: Page = self.context.new_page()
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.page.on(
            "request", lambda request: self.hosts.add(urlsplit(request.url).hostname or "")
        )
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, server: PageServer) -> Page:
        self.page.goto(server.url)
        return self.page

    def close(self) -> None:
        self.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", sorted(WIDTHS))
def test_everything_appears_without_sideways_scrolling(
    browser: Browser, filled: PageServer, width: str, scheme: Literal["light", "dark"]
) -> None:
    watched = Watched(browser, *WIDTHS[width], scheme)
    page = watched.open(filled)
    page.locator("body[data-link=live]").wait_for()
    assert page.locator("#now").text_content() == "15:20"
    assert page.locator("#mode").text_content() == "mode active"
    assert page.locator(".tile .tokens").first.text_content() != "–"
    assert page.locator(".chart canvas").count() == 6
    assert page.locator(".pool").count() > 10
    assert page.locator("#log li").count() == 12
    assert page.locator("#routes td").count() == 3 * 4
    assert "reactive" in (page.locator("#hours-sub").text_content() or "")
    assert page.locator("#dispatch").text_content() == "1,234"
    sample = page.locator("#dispatch-sub").text_content() or ""
    assert "78 to another region, 9 shed" in sample
    assert "expected after 0.75 s, simulated –" in sample
    inner, whole = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
    assert whole <= inner
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert watched.complaints == []
    assert watched.hosts == {"127.0.0.1"}
    watched.close()


def test_another_series_is_shown_when_it_is_chosen(browser: Browser, filled: PageServer) -> None:
    watched = Watched(browser, *WIDTHS["desktop"])
    page = watched.open(filled)
    page.locator("body[data-link=live]").wait_for()
    page.locator("select[name=model]").select_option("llama-3.1-8b")
    page.locator("select[name=tier]").select_option("batch")
    page.get_by_text("llama-3.1-8b, batch").wait_for()
    page.locator("select[name=region]").select_option("eastus")
    page.get_by_text("No forecast of this series yet.").wait_for()
    assert watched.complaints == []
    watched.close()


def test_the_theme_changes_and_is_remembered(browser: Browser, filled: PageServer) -> None:
    watched = Watched(browser, *WIDTHS["phone"])
    page = watched.open(filled)
    page.locator("body[data-link=live]").wait_for()
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    watched.close()


def test_an_empty_store_says_that_there_is_no_data_yet(browser: Browser, empty: PageServer) -> None:
    watched = Watched(browser, *WIDTHS["phone"])
    page = watched.open(empty)
    page.locator("body[data-link=live]").wait_for()
    for words in ("No plan yet.", "No routing table yet.", "Nothing has been ordered yet."):
        assert page.get_by_text(words).is_visible()
    assert page.locator("#expectation").get_attribute("data-empty") == "no data yet"
    assert not page.locator("#rivalry").is_visible()
    assert not page.locator("#hours").is_visible()
    assert not page.locator("#dispatch").is_visible()
    assert watched.complaints == []
    watched.close()


def test_a_lost_connection_is_said_and_the_last_picture_stays(
    browser: Browser, empty: PageServer
) -> None:
    watched = Watched(browser, *WIDTHS["desktop"])
    page = watched.open(empty)
    page.locator("body[data-link=live]").wait_for()
    empty.stop()
    page.locator("body[data-link=lost]").wait_for()
    assert "Disconnected: showing data of 15:20" in (page.locator("#notice").text_content() or "")
    watched.close()
