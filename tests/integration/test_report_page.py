"""An experiment's page in a real Chromium: what it draws, both widths, both themes, no word to anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from simulation.reports.page import page as page_of
from tests.simulation.reports.found import findings, with_figures
from tests.support.chromium import WIDTHS, a_browser, needs_chromium

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from a_browser()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "h.html"
    path.write_text(page_of(findings()), "utf-8")
    return path


class Opened:
    """The page in a window of its own, all that it asked for and complained about."""

    def __init__(self, browser: Browser, file: Path, width: str, scheme: str) -> None:
        across, down = WIDTHS[width]
        self.context = browser.new_context(
            viewport={"width": across, "height": down},
            color_scheme=scheme,  # type: ignore[arg-type]  # one of two words
        )
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda line: self.said.append(line.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(file.as_uri())


@pytest.fixture(params=["desktop", "phone"])
def opened(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Opened]:
    window = Opened(browser, file, request.param, "light")
    yield window
    window.context.close()


def test_the_page_asks_nobody_and_complains_of_nothing(opened: Opened, file: Path) -> None:
    opened.page.wait_for_selector("#frontier svg")
    assert opened.asked == [file.as_uri()]
    assert opened.said == []


def test_it_fits_the_window(opened: Opened) -> None:
    across = opened.page.evaluate("document.documentElement.scrollWidth")
    assert across == opened.page.evaluate("window.innerWidth")


def test_every_chart_is_drawn(opened: Opened) -> None:
    for chart in ("frontier", "hours", "distribution", "kept"):
        assert opened.page.locator(f"#{chart} svg.plot").count() == 1
    assert opened.page.locator("#capacity figure svg.plot").count() == 3  # who ran to an end
    assert opened.page.locator("#frontier .ring").count() == 3
    assert opened.page.locator("#frontier .point").count() == 3 + 3 + 2
    assert opened.page.locator("#frontier line.limit").count() == 2
    assert "NaN" not in opened.page.content()


def test_the_table_tells_who_failed_and_who_missed(opened: Opened) -> None:
    table = opened.page.locator(".sides").inner_text()
    assert "failed" in table
    assert "weak" in table
    assert "LP bound" in table


def test_a_pool_can_be_looked_at_alone(opened: Opened) -> None:
    captions = opened.page.locator("#capacity figcaption span")
    both = captions.first.inner_text()
    opened.page.select_option("#pool", "east/alpha/small")
    alone = captions.first.inner_text()
    assert both.startswith("need 48 ")
    assert alone.startswith("need 24 ")


def test_capacity_under_the_pointer_is_told_for_every_policy(opened: Opened) -> None:
    opened.page.locator("#capacity .chart").first.hover()
    captions = opened.page.locator("#capacity figcaption span").all_inner_texts()
    assert len({text.split(" · ")[0] for text in captions}) == 1
    assert all("GPUs" in text and "Mon 02 12:" in text for text in captions)


def test_decisions_are_filtered_by_policy_pool_and_text(opened: Opened) -> None:
    told = opened.page.locator("#log-count")
    assert told.inner_text() == "480 decisions"
    opened.page.select_option("#log-policy", "reactive")
    assert told.inner_text() == "160 decisions"
    opened.page.select_option("#log-pool", "west/alpha/small")
    assert told.inner_text() == "80 decisions"
    opened.page.fill("#log-text", "no-capacity")
    assert told.inner_text() == "1 decisions"
    assert "more is wanted (3)" in opened.page.locator("#log").inner_text()
    opened.page.fill("#log-text", "nothing like it")
    assert "No matches." in opened.page.locator("#log").inner_text()


def test_a_long_log_is_shown_in_parts(opened: Opened) -> None:
    rows = opened.page.locator("#log li")
    assert rows.count() == 100
    opened.page.click("#log-more")
    assert rows.count() == 200


def test_light_and_dark_follow_the_system_and_can_be_switched(browser: Browser, file: Path) -> None:
    window = Opened(browser, file, "desktop", "dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = window.page.evaluate(ground)
    window.page.click("#theme")
    light = window.page.evaluate(ground)
    assert dark == "rgb(18, 22, 29)"
    assert light == "rgb(247, 244, 238)"
    window.context.close()


def test_findings_without_any_finished_run_are_still_a_page(
    browser: Browser, tmp_path: Path
) -> None:
    whole = findings()
    broken = whole.contests[3]
    path = tmp_path / "broken.html"
    path.write_text(page_of(findings(contests=(broken,))), "utf-8")
    window = Opened(browser, path, "desktop", "light")
    assert window.said == []
    assert "no setting finished" in window.page.locator("#frontier").inner_text()
    window.context.close()


def test_owed_hours_are_drawn_apart_from_work(browser: Browser, tmp_path: Path) -> None:
    whole = findings()
    owing = replace(
        whole,
        contests=(with_figures(whole, gpu_hours_owed=20.0).contests[0], *whole.contests[1:]),
    )
    path = tmp_path / "owing.html"
    path.write_text(page_of(owing), "utf-8")
    window = Opened(browser, path, "desktop", "light")
    assert window.page.locator("#hours rect.owed").count() == 1
    titles = window.page.locator("#hours rect title").all_text_contents()
    assert "heliostat, owed: 20 GPU-hours (14.6%)" in titles
    parts = [
        float(one.split(": ")[1].split(" ")[0]) for one in titles if one.startswith("heliostat,")
    ]
    assert sum(parts) == pytest.approx(137, abs=2)
    window.context.close()
