"""The web application answers with its own files only and names what it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from services.dashboard.app import HERE, dashboard
from tests.services.dashboard.a_day import an_empty_day


@pytest.fixture
def client() -> Iterator[TestClient]:
    day = an_empty_day()
    with TestClient(dashboard(day.model, day.catalogue, title="a <test>")) as client:
        yield client


def test_the_page_names_regions_and_escapes_its_title(client: TestClient) -> None:
    answer = client.get("/")
    assert "japaneast" in answer.text
    assert "a &lt;test&gt;" in answer.text


def test_every_answer_forbids_other_hosts(client: TestClient) -> None:
    for path in ("/", "/api/picture", "/static/page.css", "/nothing"):
        assert client.get(path).headers["content-security-policy"].startswith("default-src 'self'")


def test_an_unknown_model_is_a_404_that_names_the_known_ones(client: TestClient) -> None:
    answer = client.get("/api/picture", params={"model": "gpt"})
    assert answer.status_code == 404
    assert "llama2-70b" in answer.json()["error"]


def test_our_files_refer_to_no_other_host() -> None:
    ours = [
        path
        for path in HERE.rglob("*")
        if path.suffix in {".html", ".css", ".js"} and "vendor" not in path.parts
    ]
    assert len(ours) > 5
    for path in ours:
        urls = re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}\S*", path.read_text())
        assert [url for url in urls if "www.w3.org" not in url] == [], path


def test_vendored_code_carries_its_licence() -> None:
    vendor = HERE / "static" / "vendor"
    named = (vendor / "NOTICE").read_text()
    for folder in (path for path in vendor.iterdir() if path.is_dir()):
        assert (folder / "LICENSE").exists()
        assert f"{folder.name}/" in named
