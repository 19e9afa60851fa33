"""Commands that need no server: traces, problems, certificates, databases."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput, MigrationAhead
from services.cli.certificates import CertificateMaker, parse_identity
from services.cli.forecast_backtest import demand_of, key_of
from services.control_plane.bootstrap import parts_of
from services.control_plane.settings import ControlPlaneSettings
from services.identity import Identity, Role
from simulation.workload.load import load_trace
from tests.builders import NOON, catalogue_mapping
from tests.cli.running import heliostat
from tests.simulation.workload import samples
from tests.simulation.workload.samples import series_file, text_file
from tests.simulation.workload.test_figures import a_series
from tests.support.measured import measured, needs_data

YEAR = timedelta(days=365)


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return text_file(tmp_path, "catalogue.yaml", yaml.safe_dump(catalogue_mapping()))


# --- trace ----------------------------------------------------------------------------------


def test_a_trace_is_described_in_words_and_in_json(tmp_path: Path) -> None:
    path = text_file(tmp_path, "a.csv", samples.AZURE)
    shown = heliostat("trace", "describe", path)
    assert shown.code == 0
    assert "3 kept" in shown.out
    assert "prompt" in shown.out
    assert "(needs 6 bins with traffic in an hour)" in shown.out
    assert "ten minutes or less" not in shown.out, "bins of a minute are short enough"
    assert max(map(len, shown.out.splitlines())) <= 80
    figures = heliostat("trace", "describe", path, "--json").json
    assert figures["rows_kept"] == 3
    assert figures["total"]["peak_per_second"] == pytest.approx(2 / 60)
    assert figures["total"]["autocorrelation_day"] is None


def test_a_bad_row_ends_with_the_code_of_wrong_input_and_its_line(tmp_path: Path) -> None:
    path = text_file(tmp_path, "a.csv", samples.AZURE + "broken\n")
    ran = heliostat("trace", "describe", path)
    assert ran.code == 65
    assert ran.out == ""
    assert "a.csv:5: has 1 fields, expected 3 (3 rows kept)" in ran.err
    assert "--skip-bad-rows" in ran.err
    skipped = heliostat("trace", "describe", path, "--skip-bad-rows")
    assert skipped.code == 0
    assert "3 kept, 1 bad" in skipped.out


def test_a_format_can_be_named_and_a_wrong_name_lists_them(tmp_path: Path) -> None:
    path = text_file(tmp_path, "a.csv", samples.AZURE)
    assert heliostat("trace", "describe", path, "--format", "azure").code == 0
    ran = heliostat("trace", "describe", path, "--format", "excel")
    assert ran.code == 65
    assert "mooncake" in ran.err


@pytest.mark.parametrize("to", ["series", "requests"])
def test_a_converted_trace_can_be_described_again(tmp_path: Path, to: str) -> None:
    path = text_file(tmp_path, "b.csv", samples.BURSTGPT)
    ran = heliostat("trace", "convert", path, tmp_path / "o.parquet", "--to", to, "--json")
    assert ran.json["rows"] == (3 if to == "requests" else 4)
    again = heliostat("trace", "describe", tmp_path / "o.parquet", "--json").json
    assert again["total"]["requests"] == 3


def test_converting_to_nothing_known_is_refused(tmp_path: Path) -> None:
    path = text_file(tmp_path, "b.csv", samples.BURSTGPT)
    ran = heliostat("trace", "convert", path, tmp_path / "o", "--to", "excel")
    assert ran.code == 65


def test_synthesised_demand_is_a_series_file_that_we_can_read(
    tmp_path: Path, catalogue: Path
) -> None:
    target = tmp_path / "made.parquet"
    arguments = ("--catalogue", catalogue, "--days", 1, "--seed", 7, "--busy", 10, "--json")
    ran = heliostat("trace", "synthesize", target, *arguments)
    assert ran.json["rows"] == 12 * 1440
    trace = load_trace(target)
    assert len(trace.series) == 12
    assert trace.series[0].start == datetime(2026, 3, 2, tzinfo=UTC)
    again = tmp_path / "again.parquet"
    heliostat("trace", "synthesize", again, *arguments)
    assert again.read_bytes() == target.read_bytes()


def test_a_wrong_catalogue_names_file_and_key(tmp_path: Path) -> None:
    path = text_file(tmp_path, "c.yaml", "version: 1\n")
    ran = heliostat("trace", "synthesize", tmp_path / "o", "--catalogue", path)
    assert ran.code == 78
    assert "c.yaml" in ran.err


# --- forecast backtest ----------------------------------------------------------------------


def test_a_backtest_scores_every_method_against_the_naive_ones(tmp_path: Path) -> None:
    day = [100.0 + 50 * (6 <= hour < 18) for hour in range(24)]
    path = series_file(tmp_path, {"s": day * 6}, step=timedelta(hours=1))
    arguments = ("--days", 1, "--every", "12h", "--horizon", "4h")
    ran = heliostat("forecast", "backtest", path, *arguments, "--json")
    assert ran.code == 0, ran.err
    methods = {score["method"] for score in ran.json["scores"]}
    assert {"champion", "last-value"} <= methods
    shown = heliostat("forecast", "backtest", path, *arguments)
    assert "WAPE" in shown.out


def test_a_backtest_of_too_short_a_trace_says_so(tmp_path: Path) -> None:
    path = series_file(tmp_path, {"s": [1.0] * 30}, step=timedelta(hours=1))
    ran = heliostat("forecast", "backtest", path, "--days", 3)
    assert ran.code == 65
    assert "too short" in ran.err


def test_an_unknown_family_is_refused(tmp_path: Path) -> None:
    ran = heliostat("forecast", "backtest", tmp_path, "--family", "psychic")
    assert ran.code == 65


def test_demand_of_a_trace_starts_at_a_whole_quarter_and_keeps_holes() -> None:
    requests = [60.0] * 40
    requests[20] = float("nan")
    series = a_series(requests)
    demand = demand_of(replace(series, start=NOON + timedelta(minutes=5)))
    assert demand.start == NOON + timedelta(minutes=15)
    assert demand.tokens_per_second == (None, 100.0)
    assert demand.peak_tokens_per_second == (None, 100.0)


def test_series_that_we_wrote_keep_their_key() -> None:
    assert str(key_of("east/alpha/batch")) == "east/alpha/batch/input"
    assert str(key_of("anything")) == "trace/anything/interactive-normal/input"


# --- plan solve -----------------------------------------------------------------------------


def test_a_random_problem_is_solved_with_its_figures_in_a_file(tmp_path: Path) -> None:
    target = tmp_path / "o.json"
    ran = heliostat(
        "plan", "solve", "--random", "3x2x2", "--busy", 4, "--seed", 3, "--json", target
    )
    assert ran.code == 0, ran.err
    figures = json.loads(target.read_text())
    assert figures["status"] == "solved"
    assert figures["objective"] >= figures["lp_bound"] > 0
    assert figures["gap"] == pytest.approx(figures["objective"] / figures["lp_bound"] - 1)
    assert figures["cpu_seconds"] >= 0
    assert "gap" in ran.out


def test_a_kept_problem_has_the_same_answer(tmp_path: Path) -> None:
    kept = tmp_path / "p.json"
    first = heliostat("plan", "solve", "--random", "3x2x2", "--save", kept, "--json", "-").json
    second = heliostat("plan", "solve", "--problem", kept, "--json", "-").json
    assert first["objective"] == pytest.approx(second["objective"])


@pytest.mark.parametrize("arguments", [(), ("--random", "3x2x2", "--problem", "p.json")])
def test_exactly_one_problem_is_wanted(arguments: tuple[str, ...]) -> None:
    assert heliostat("plan", "solve", *arguments).code == 65


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', "\x00", "{}"])
def test_a_broken_problem_file_is_refused(tmp_path: Path, text: str) -> None:
    assert heliostat("plan", "solve", "--problem", text_file(tmp_path, "p", text)).code == 65


@pytest.mark.parametrize("size", ["3x3", "axbxc", "0x1x1", "3x-1x2"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    assert heliostat("plan", "solve", "--random", size).code == 65


# --- certs ----------------------------------------------------------------------------------


def test_made_certificates_carry_roles_and_hosts(tmp_path: Path) -> None:
    identities = ("agent/eastus/a-1", "operator/anna")
    options = [part for one in identities for part in ("--identity", one)]
    ran = heliostat(
        "certs", "make", tmp_path / "certs", *options, "--server", "plane.example", "--json"
    )
    assert ran.code == 0, ran.err
    assert [Path(one["certificate"]).name for one in ran.json["certificates"]] == [
        "ca.pem",
        "server.pem",
        "agent-eastus-a-1.pem",
        "operator-anna.pem",
    ]
    agent = _certificate(tmp_path / "certs" / "agent-eastus-a-1.pem")
    names = agent.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert Identity.parse(uri).role is Role.AGENT
    assert Identity.parse(uri).region == "eastus"
    server = _certificate(tmp_path / "certs" / "server.pem")
    hosts = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert hosts.get_values_for_type(x509.DNSName) == ["plane.example"]
    for certificate, usage in (
        (agent, ExtendedKeyUsageOID.CLIENT_AUTH),
        (server, ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        assert list(
            certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        ) == [usage]


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    (tmp_path / "operator-local-key.pem").touch(0o644)
    heliostat("certs", "make", tmp_path)
    keys = sorted(tmp_path.glob("*-key.pem"))
    assert len(keys) == 3
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_a_ca_that_is_there_is_used_on(tmp_path: Path) -> None:
    maker = CertificateMaker(tmp_path, now=NOON, valid=timedelta(days=1))
    maker.make(servers=["localhost"], clients=[])
    before = (tmp_path / "ca.pem").read_bytes()
    maker.make(servers=["localhost"], clients=["admin/root"])
    assert (tmp_path / "ca.pem").read_bytes() == before
    ca, admin = _certificate(tmp_path / "ca.pem"), _certificate(tmp_path / "admin-root.pem")
    admin.verify_directly_issued_by(ca)
    assert admin.not_valid_after_utc == NOON + timedelta(days=1)


def test_adding_an_identity_leaves_the_servers_certificate_alone(tmp_path: Path) -> None:
    heliostat("certs", "make", tmp_path, "--server", "plane.example", "--server", "10.0.0.7")
    before = [(tmp_path / name).read_bytes() for name in ("server.pem", "server-key.pem")]
    added = heliostat("certs", "make", tmp_path, "--identity", "gateway/eastus/gw-1")
    assert added.code == 0
    said = " ".join(added.out.split())
    assert "server.pem was left as it is, for plane.example, 10.0.0.7; --server replaces it" in said
    assert [(tmp_path / n).read_bytes() for n in ("server.pem", "server-key.pem")] == before
    assert (tmp_path / "gateway-eastus-gw-1.pem").exists()
    replaced = heliostat("certs", "make", tmp_path, "--server", "new.example", "--json")
    kept = {Path(one["certificate"]).name: one["kept"] for one in replaced.json["certificates"]}
    assert kept == {"ca.pem": True, "server.pem": False, "operator-local.pem": False}
    assert (tmp_path / "server.pem").read_bytes() != before[0]


def test_a_servers_certificate_of_another_ca_is_not_kept_silently(tmp_path: Path) -> None:
    heliostat("certs", "make", tmp_path, "--server", "plane.example")
    for name in ("ca.pem", "ca-key.pem"):
        (tmp_path / name).unlink()
    before = _files(tmp_path)
    refused = heliostat("certs", "make", tmp_path, "--identity", "operator/anna")
    assert refused.code == 65
    assert "is no server certificate of this CA; give --server to replace it" in refused.err
    assert _files(tmp_path) == before


@pytest.mark.parametrize("missing", ["ca-key.pem", "ca.pem", "server-key.pem", "server.pem"])
def test_a_pair_of_which_one_file_is_kept_elsewhere_is_not_replaced(
    tmp_path: Path, missing: str
) -> None:
    heliostat("certs", "make", tmp_path, "--server", "plane.example")
    (tmp_path / missing).unlink()
    before = _files(tmp_path)
    ran = heliostat("certs", "make", tmp_path, "--identity", "operator/bob")
    assert ran.code == 65
    assert f"{missing}: is missing" in " ".join(ran.err.split())
    assert "bring it back" in ran.err
    assert _files(tmp_path) == before


def test_a_key_on_a_stick_that_is_not_there_is_not_written_anew(tmp_path: Path) -> None:
    heliostat("certs", "make", tmp_path / "certs")
    for name in ("ca.pem", "ca-key.pem"):
        (tmp_path / "certs" / name).unlink()
        (tmp_path / "certs" / name).symlink_to(tmp_path / "stick" / name)
    (tmp_path / "stick").mkdir()
    assert heliostat("certs", "make", tmp_path / "certs").code == 65
    assert not list((tmp_path / "stick").iterdir())


def test_the_servers_pair_is_replaced_on_demand_also_when_its_key_is_gone(tmp_path: Path) -> None:
    heliostat("certs", "make", tmp_path)
    (tmp_path / "server-key.pem").unlink()
    assert heliostat("certs", "make", tmp_path, "--server", "plane.example").code == 0
    assert (tmp_path / "server-key.pem").exists()


def test_a_disk_that_is_full_leaves_every_pair_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heliostat("certs", "make", tmp_path, "--server", "plane.example")
    before = _files(tmp_path)
    written, plain = [], os.fsync

    def full(handle: int) -> None:
        written.append(handle)
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        plain(handle)

    monkeypatch.setattr(os, "fsync", full)
    ran = heliostat("certs", "make", tmp_path, "--server", "plane.example")
    assert ran.code == 65
    assert "server.pem: cannot be used: No space left on device" in " ".join(ran.err.split())
    assert _files(tmp_path) == before


def test_a_servers_certificate_with_another_key_is_not_kept_silently(tmp_path: Path) -> None:
    heliostat("certs", "make", tmp_path)
    key = (tmp_path / "operator-local-key.pem").read_bytes()
    for wrong in (key, b"nonsense", b""):
        (tmp_path / "server-key.pem").write_bytes(wrong)
        before = _files(tmp_path)
        ran = heliostat("certs", "make", tmp_path, "--identity", "operator/bob")
        assert ran.code == 65
        said = " ".join(ran.err.split())
        assert "server-key.pem: is not the key of server.pem" in said
        assert "give --server to make a new pair" in said
        assert _files(tmp_path) == before


def test_the_key_of_another_ca_signs_nothing(tmp_path: Path) -> None:
    for name in ("one", "other"):
        heliostat("certs", "make", tmp_path / name)
    (tmp_path / "other" / "ca-key.pem").replace(tmp_path / "one" / "ca-key.pem")
    before = _files(tmp_path / "one")
    ran = heliostat("certs", "make", tmp_path / "one", "--identity", "operator/bob")
    assert ran.code == 65
    assert "is not the key of ca.pem" in " ".join(ran.err.split())
    assert _files(tmp_path / "one") == before


def test_a_broken_ca_is_not_overwritten(tmp_path: Path) -> None:
    for name in ("ca.pem", "ca-key.pem"):
        text_file(tmp_path, name, "nonsense")
    ran = heliostat("certs", "make", tmp_path)
    assert ran.code == 65
    assert (tmp_path / "ca.pem").read_text() == "nonsense"


@pytest.mark.parametrize(
    "identity",
    ["king/a", "agent/a", "operator/x/y", "operator/", "operator/../x", "operator/ümlaut", ""],
)
def test_what_is_no_identity_is_refused_and_nothing_is_written(
    tmp_path: Path, identity: str
) -> None:
    ran = heliostat("certs", "make", tmp_path / "certs", "--identity", identity)
    assert ran.code == 65
    assert not (tmp_path / "certs").exists()


@given(st.text(max_size=30))
def test_every_identity_that_is_taken_survives_its_uri(text: str) -> None:
    try:
        identity = parse_identity(text)
    except InvalidInput:
        return
    assert Identity.parse(identity.uri) == identity


def test_certificates_that_never_hold_are_refused(tmp_path: Path) -> None:
    assert heliostat("certs", "make", tmp_path, "--valid", "0s").code == 65


def test_an_identity_beyond_ascii_is_told_what_may_be_used(tmp_path: Path) -> None:
    ran = heliostat("certs", "make", tmp_path, "--identity", "agent/kōbe/a-1")
    assert "use the letters a to z, digits" in " ".join(ran.err.split())


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


# --- db -------------------------------------------------------------------------------------


def test_a_database_is_upgraded_and_then_stands(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'h.db'}"
    before = heliostat("db", "check", "--database", url)
    assert not list(tmp_path.iterdir())
    assert before.code == 71
    assert "heliostat db upgrade" in before.err
    assert heliostat("db", "upgrade", "--database", url).code == 0
    assert heliostat("db", "check", HELIOSTAT_DATABASE=url).code == 0
    assert heliostat("db", "check", "--database", url, "--json").json["ready"] is True


def stamped(file: Path, revision: str) -> str:
    """The URL of a database whose schema has that revision, as far as it says itself."""
    url = f"sqlite:///{file}"
    assert heliostat("db", "upgrade", "--database", url).code == 0
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    return url


def test_a_database_of_a_newer_release_is_named_as_such_everywhere(
    tmp_path: Path, catalogue: Path
) -> None:
    url = stamped(tmp_path / "h.db", "0099")
    for command in ("check", "upgrade", "downgrade --yes --to 0001"):
        ran = heliostat("db", *command.split(), "--database", url)
        assert ran.code == 71
        assert "a newer release upgraded the database: its schema is 0099" in ran.err
        assert "db downgrade --to" in ran.err
        assert "fault of ours" not in ran.err
    with pytest.raises(MigrationAhead, match="newer release"):
        parts_of(ControlPlaneSettings(database=url, catalogue=catalogue))


def test_a_downgrade_asks_first_and_says_what_it_undid(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'h.db'}"
    heliostat("db", "upgrade", "--database", url)
    back = ("db", "downgrade", "--to", "0001", "--database", url)
    for typed in ("", "n\n"):
        asked = heliostat(*back, typed=typed)
        assert asked.code == 65
        assert "undoes 0002: Which agent speaks for a region." in asked.err
        assert "nothing was changed" in asked.err
        assert heliostat("db", "check", "--database", url).code == 0
    done = heliostat(*back, typed="y\n")
    assert "The database stands at revision 0001. Undone: 0002." in done.out
    assert heliostat("db", "check", "--database", url).code == 71
    assert "already; nothing was changed" in heliostat(*back).out
    assert heliostat(*back, "--json").json == {"revision": "0001", "undone": []}


def test_a_revision_that_is_not_on_the_way_back_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'h.db'}"
    missing = heliostat("db", "downgrade", "--to", "0001", "--yes", "--database", url)
    assert missing.code == 71
    assert not list(tmp_path.iterdir())
    heliostat("db", "upgrade", "--database", url)
    unknown = heliostat("db", "downgrade", "--to", "00", "--yes", "--database", url)
    assert unknown.code == 65
    assert "it may be 0002, 0001, base" in " ".join(unknown.err.split())
    heliostat("db", "downgrade", "--to", "0001", "--yes", "--database", url)
    ahead = heliostat("db", "downgrade", "--to", "0002", "--yes", "--database", url)
    assert "the database has not reached it" in ahead.err


def test_memory_has_no_schema() -> None:
    assert heliostat("db", "check", "--database", "memory").code == 78


# --- the real traces ------------------------------------------------------------------------


@needs_data("published figures of real traces")
def test_published_figures_of_real_traces_come_out() -> None:
    """The peak and the mean of three files, against the statistics published with them."""
    for name, mean, peak in (
        ("traces/azure2023_conv.parquet", 5.53, 8.45),
        ("traces/mooncake_conversation.parquet", 3.40, 4.1167),
        ("series/azure2024_conv_hourly.parquet", 45.1, 74.8),
    ):
        total = heliostat("trace", "describe", measured(name), "--json").json["total"]
        assert total["mean_per_second"] == pytest.approx(mean, rel=0.01)
        assert total["peak_per_second"] == pytest.approx(peak, rel=0.01)
