"""The web application answers with its own files only and names what it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from heliostat.errors import StorageUnavailable
from services.dashboard.app import HERE, dashboard
from services.dashboard.picture import Pulse
from services.dashboard.read_model import ReadModel
from tests.services.dashboard.a_day import an_empty_day

LOCAL = "http://127.0.0.1:8321"


@pytest.fixture
def client() -> Iterator[TestClient]:
    day = an_empty_day()
    app = dashboard(day.model, day.catalogue, title="a <test>")
    with TestClient(app, base_url=LOCAL) as client:
        yield client


def test_the_page_names_regions_and_escapes_its_title(client: TestClient) -> None:
    answer = client.get("/")
    assert "japaneast" in answer.text
    assert "a &lt;test&gt;" in answer.text


def test_every_answer_forbids_other_hosts(client: TestClient) -> None:
    for path in ("/", "/api/picture", "/static/page.css", "/nothing"):
        assert client.get(path).headers["content-security-policy"].startswith("default-src 'self'")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8321", "[::1]:8321", "[::1]"])
def test_loopback_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8321", "10.0.0.7", "", "127.0.0.1.evil"]
)
def test_names_that_somebody_else_may_own_are_refused(client: TestClient, host: str) -> None:
    """A site that lets its name lead to this machine must not read the page in a visitor's browser."""
    for path in ("/", "/api/picture", "/static/page.css"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert "llama2" not in answer.text


def test_a_page_that_was_opened_to_others_answers_to_any_name() -> None:
    day = an_empty_day()
    with TestClient(dashboard(day.model, day.catalogue, local_only=False)) as client:
        assert client.get("/health", headers={"host": "plane-1.example"}).status_code == 200


def test_nothing_can_be_changed_through_the_page(client: TestClient) -> None:
    for path in ("/", "/api/picture", "/health", "/static/page.css"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert client.request(method, path).status_code == 405


def test_a_store_that_does_not_answer_is_said_and_no_fault_of_ours() -> None:
    day = an_empty_day()

    def away() -> Pulse:
        raise StorageUnavailable("the database does not answer: it is away")

    model = ReadModel(stores=day.stores, catalogue=day.catalogue, pulse=away)
    with TestClient(dashboard(model, day.catalogue), base_url=LOCAL) as client:
        answer = client.get("/api/picture")
    assert answer.status_code == 503
    assert "it is away" in answer.json()["error"]


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
