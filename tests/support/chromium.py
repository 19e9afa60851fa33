"""A Chromium for tests of pages, and the windows in which they are looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
_CHROMIUM = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or ""
_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

needs_chromium = pytest.mark.skipif(
    not _CHROMIUM,
    reason="NOT TESTED: no Chromium on the PATH (Debian: apt-get install chromium, or set CHROMIUM)",
)


def a_browser() -> Iterator[Browser]:
    """The browser, closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_SWITCHES))
        yield browser
        browser.close()
