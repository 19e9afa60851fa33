"""Settings come from one file and the environment, and a wrong one is named with both its names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from traceback import format_exception

import pytest

from heliostat.errors import InvalidSettings
from heliostat.loops.retention import Retention
from services.agent.settings import AgentSettings, load_agent_settings
from services.control_plane.settings import ControlPlaneSettings, load_settings
from services.setting_kinds import json_example
from storage.sql.database import engine_of


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    path = tmp_path / "heliostat.yaml"
    path.write_text("listen: 127.0.0.1:7000\ncadence: {reroute: 60, settle: 20}\n")
    return path


def test_defaults_work_on_one_machine() -> None:
    settings = load_settings()
    assert settings.loopback
    assert settings.tls is None
    assert settings.advertised(7443) == settings.listen


def test_what_is_advertised_has_the_port_that_was_given_to_us() -> None:
    assert load_settings(listen="127.0.0.1:0").advertised(50123) == "127.0.0.1:50123"
    named = load_settings(listen="127.0.0.1:0", advertise="plane.example:7443")
    assert named.advertised(50123) == "plane.example:7443"


def test_the_command_line_wins_over_the_environment_over_the_file(
    a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIOSTAT_LISTEN", "127.0.0.1:7001")
    monkeypatch.setenv("HELIOSTAT_CADENCE__REROUTE", "10")
    settings = load_settings(a_file)
    assert settings.listen == "127.0.0.1:7001"
    assert settings.cadence.reroute == timedelta(seconds=10)
    assert settings.cadence.settle == timedelta(seconds=20)
    assert load_settings(a_file, listen="127.0.0.1:7002").listen == "127.0.0.1:7002"


@pytest.mark.parametrize(
    ("text", "key", "variable"),
    [
        ("lease: -5", "lease", "HELIOSTAT_LEASE"),
        ("cadence: {reroute: soon}", "cadence.reroute", "HELIOSTAT_CADENCE__REROUTE"),
        ("listen: here", "listen", "HELIOSTAT_LISTEN"),
        ("advertise: plane.example:0", "advertise", "HELIOSTAT_ADVERTISE"),
        ("metrics_listen: 127.0.0.1:99999", "metrics_listen", "HELIOSTAT_METRICS_LISTEN"),
        ("page_listen: somewhere", "page_listen", "HELIOSTAT_PAGE_LISTEN"),
        ("readers: 0", "readers", "HELIOSTAT_READERS"),
        ("lease: true", "lease", "HELIOSTAT_LEASE"),
        ("cadence: {refresh: 1.0e+13}", "cadence.refresh", "HELIOSTAT_CADENCE__REFRESH"),
        ("usage_behind: P99999999D", "usage_behind", "HELIOSTAT_USAGE_BEHIND"),
        ("max_message_bytes: 99999999999", "max_message_bytes", "HELIOSTAT_MAX_MESSAGE_BYTES"),
        ("name: ''", "name", "HELIOSTAT_NAME"),
        ('name: "a\\0b"', "name", "HELIOSTAT_NAME"),
        ("lisen: 127.0.0.1:1", "lisen", "HELIOSTAT_LISEN"),
        ("tls: {certificate: /none, key: /none, client_ca: /none}", "tls.certificate", "/none"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, key: str, variable: str) -> None:
    path = tmp_path / "heliostat.yaml"
    path.write_text(text)
    with pytest.raises(InvalidSettings) as caught:
        load_settings(path)
    assert key in str(caught.value)
    assert variable in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("lisen: 127.0.0.1:1", r"lisen (HELIOSTAT_LISEN)"),
        ("tls: {cert: /a.pem}", r"tls.cert (HELIOSTAT_TLS__CERT)"),
        ("cadence: {rerout: 5}", r"cadence.rerout (HELIOSTAT_CADENCE__REROUT)"),
    ],
)
def test_a_key_that_there_is_not_is_called_unknown(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "heliostat.yaml"
    path.write_text(text)
    with pytest.raises(InvalidSettings) as caught:
        load_settings(path)
    assert str(caught.value) == f"{named}: unknown key; remove it, or correct its spelling"


@pytest.mark.parametrize("text", ["- a list", "{", None])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "heliostat.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidSettings, match=r"heliostat\.yaml"):
        load_settings(path)


def test_plain_text_beyond_loopback_must_be_asked_for() -> None:
    with pytest.raises(InvalidSettings, match="allow_insecure"):
        load_settings(listen="0.0.0.0:7443")
    assert load_settings(listen="0.0.0.0:7443", allow_insecure=True).allow_insecure


def test_a_page_beyond_loopback_must_be_asked_for_whatever_the_calls_are_secured_with() -> None:
    with pytest.raises(InvalidSettings, match="page_allow_insecure"):
        load_settings(page_listen="0.0.0.0:8321", allow_insecure=True)
    opened = load_settings(page_listen="0.0.0.0:8321", page_allow_insecure=True)
    assert opened.page_listen == "0.0.0.0:8321"
    assert load_settings().page_listen == "127.0.0.1:8321"
    assert load_settings(page_listen="").page_listen == ""


def test_metrics_are_served_beyond_loopback_unasked_since_scrapers_are_elsewhere() -> None:
    assert load_settings(metrics_listen="0.0.0.0:9464").metrics_listen == "0.0.0.0:9464"


def test_a_remedy_names_a_file_only_where_there_is_one(
    a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIOSTAT_LEASE", "soon")
    with pytest.raises(InvalidSettings, match=r"set that variable$"):
        load_settings()
    with pytest.raises(InvalidSettings, match=f"set it in {a_file} or in that variable$"):
        load_settings(a_file)


def test_who_says_what_a_replica_serves_is_one_of_two() -> None:
    assert load_settings().served_by == "planner"
    assert load_settings(served_by="placement").served_by == "placement"
    with pytest.raises(InvalidSettings, match="served_by"):
        load_settings(served_by="astrology")


JSON_SETTINGS = [
    (load, variable, example)
    for load, variables in (
        (
            load_settings,
            {
                "HELIOSTAT_HOLIDAYS": '["2026-11-26"]',
                "HELIOSTAT_REGION_HOLIDAYS": '{"eastus": ["2026-11-26"]}',
                "HELIOSTAT_KEEP": '{"plans": "P56D"}',
                "HELIOSTAT_CADENCE": '{"refresh": "PT15M"}',
                "HELIOSTAT_TLS": '{"certificate": "/path/to/file", "key": "/path/to/file", '
                '"client_ca": "/path/to/file"}',
            },
        ),
        (
            partial(load_agent_settings, region="east", allow_insecure=True),
            {
                "HELIOSTAT_AGENT_CONTROL_PLANES": '["plane-1:7443"]',
                "HELIOSTAT_AGENT_AWS": '{"region_name": ""}',
                "HELIOSTAT_AGENT_DRIVING": '{"chunk_size": 10}',
                "HELIOSTAT_AGENT_PROBE": '{"timeout": "PT2S"}',
                "HELIOSTAT_AGENT_DISPATCH": '{"enabled": true}',
                "HELIOSTAT_AGENT_TLS": '{"ca": "/path/to/file", "certificate": "/path/to/file", '
                '"key": "/path/to/file"}',
                "HELIOSTAT_AGENT_LOCAL_TLS": '{"certificate": "/path/to/file", '
                '"key": "/path/to/file", "client_ca": "/path/to/file"}',
            },
        ),
    )
    for variable, example in variables.items()
]


@pytest.mark.parametrize(("load", "variable", "example"), JSON_SETTINGS)
@pytest.mark.parametrize("wrong", ["nonsense", "{eastus: [2026-11-26]}", "7"])
def test_a_list_or_mapping_in_the_environment_is_shown_as_it_should_be_written(
    load: Callable[[], object],
    variable: str,
    example: str,
    wrong: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, wrong)
    with pytest.raises(InvalidSettings) as caught:
        load()
    assert f"({variable})" in str(caught.value)
    assert example in caught.value.remedy


@pytest.mark.parametrize(
    ("load", "variable", "example"), [one for one in JSON_SETTINGS if "/path/" not in one[2]]
)
def test_what_is_shown_is_accepted(
    load: Callable[[], object], variable: str, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, example)
    assert load()


def test_every_list_or_mapping_among_the_settings_is_shown() -> None:
    shown = {variable for _, variable, _ in JSON_SETTINGS}
    for prefix, kind in (("HELIOSTAT_", ControlPlaneSettings), ("HELIOSTAT_AGENT_", AgentSettings)):
        for key, field in kind.model_fields.items():
            written_as_json = json_example(field.annotation) is not None
            assert (f"{prefix}{key}".upper() in shown) == written_as_json


def test_what_a_mapping_holds_has_no_variable_of_its_own(a_file: Path) -> None:
    a_file.write_text("region_holidays: {eastus: 2026-11-26}\n")
    with pytest.raises(InvalidSettings) as caught:
        load_settings(a_file)
    assert str(caught.value).startswith("region_holidays.eastus (HELIOSTAT_REGION_HOLIDAYS): ")
    assert caught.value.remedy.endswith('in that variable, as {"eastus": ["2026-11-26"]}')


def test_how_long_each_kind_is_kept_is_a_setting(a_file: Path) -> None:
    a_file.write_text("keep: {audit: P365D, routing_acks: 3600}\n")
    kept = load_settings(a_file).keep.retention()
    assert kept == replace(Retention(), audit=timedelta(days=365), routing_acks=timedelta(hours=1))


def test_lead_times_are_kept_for_as_long_as_plans_look_back(a_file: Path) -> None:
    a_file.write_text("keep: {lead_times: P1D}\n")
    with pytest.raises(InvalidSettings, match=r"keep\.lead_times"):
        load_settings(a_file)


def test_a_database_url_that_cannot_be_read_is_a_wrong_setting() -> None:
    with pytest.raises(InvalidSettings, match="not a database URL"):
        engine_of("postgresql+psycopg://someone@db.example:port/heliostat")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://someone:hush@db.example:port/heliostat",
        "postgresql+psycopg://some@one:x@db.example:hush/heliostat",
        "someone:hush@db.example/heliostat",
        "someone:hush://db.example/heliostat",
    ],
)
def test_the_password_of_a_database_url_that_cannot_be_read_is_not_told(url: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        engine_of(url)
    assert "hush" not in "".join(format_exception(refused.value))
