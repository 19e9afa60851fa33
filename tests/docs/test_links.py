"""Links between the pages lead to files and headings that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
_FENCED = re.compile(r"^```.*?^```", re.S | re.M)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(_FENCED.sub("", page.read_text("utf-8"))):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), target
        if heading:
            assert heading in set(_headings(there)), target


def test_every_page_is_linked_from_the_readme_or_from_one_that_is() -> None:
    seen, to_read = set(), [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        links = (target.partition("#")[0] for target in _LINK.findall(page.read_text("utf-8")))
        to_read += [(page.parent / name).resolve() for name in links if name and "://" not in name]
    assert {page for page in PAGES if "results" not in page.parts} <= seen


def _headings(page: Path) -> Iterator[str]:
    """Anchors as GitHub makes them."""
    for line in _FENCED.sub("", page.read_text("utf-8")).splitlines():
        if line.startswith("#"):
            words = re.sub(r"[`*]", "", line.lstrip("#").strip()).lower()
            yield re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
