"""The committed stubs follow the contract, and old clients keep understanding it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.proto import breaking, drift, generate, promised, renew, sources, stubs

AGREEMENT = """\
syntax = "proto3";
package heliostat.v1;
import "google/protobuf/timestamp.proto";
message Sunrise { google.protobuf.Timestamp at = 1; }
"""
CONVERSATION = """\
syntax = "proto3";
package heliostat.v1;
import "heliostat/v1/sunrise.proto";
message WatchRequest {}
message WatchResponse { Sunrise sunrise = 1; }
service SunService { rpc Watch(WatchRequest) returns (stream WatchResponse); }
"""
IMPORT_IT = """\
import google.protobuf, grpc
from heliostat.v1 import sun_pb2, sun_pb2_grpc, sunrise_pb2
assert sun_pb2.WatchResponse(sunrise=sunrise_pb2.Sunrise()).HasField("sunrise")
assert sun_pb2_grpc.SunServiceStub
print(sun_pb2.__file__)
"""


def git(where: Path, *words: str) -> None:
    """Run git as nobody in particular."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(where), *who, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a contract of two files and its stubs."""
    root = tmp_path / "repository"
    folder = root / "proto/heliostat/v1"
    folder.mkdir(parents=True)
    (folder / "sunrise.proto").write_text(AGREEMENT)
    (folder / "sun.proto").write_text(CONVERSATION)
    (root / "buf.yaml").write_text(
        "version: v2\nmodules:\n  - path: proto\nbreaking:\n  use:\n    - FILE\n"
    )
    return root


@pytest.fixture
def fresh(repository: Path, tmp_path: Path) -> Path:
    """The stubs of that contract, generated elsewhere."""
    out = tmp_path / "fresh"
    out.mkdir()
    generate(repository, out)
    return out


def test_stubs_import_with_the_locked_runtime(repository: Path, fresh: Path) -> None:
    (fresh / "heliostat/__init__.py").touch()
    words = [sys.executable, "-W", "error", "-c", IMPORT_IT]
    ran = subprocess.run(words, cwd=fresh, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.strip() == str(fresh / "heliostat/v1/sun_pb2.py")


def test_each_source_gives_code_and_types(repository: Path, fresh: Path) -> None:
    names = {path.name for path in stubs(fresh)}
    assert len(sources(repository)) == 2
    for stem in ("sun", "sunrise"):
        for ending in ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi"):
            assert f"{stem}{ending}" in names


def test_drift_names_what_is_missing_left_over_and_different(repository: Path, fresh: Path) -> None:
    renew(repository, fresh)
    folder = repository / "heliostat/v1"
    (folder / "sun_pb2.py").unlink()
    (folder / "sunrise_pb2.pyi").write_text("")
    (folder / "moon_pb2.py").write_text("")
    found = {path.name: fault for path, fault in drift(repository, fresh).items()}
    assert found == {
        "sun_pb2.py": "missing",
        "moon_pb2.py": "left over",
        "sunrise_pb2.pyi": "differs",
    }


def test_renewal_mends_every_drift_and_touches_nothing_else(repository: Path, fresh: Path) -> None:
    renew(repository, fresh)
    kept = repository / "heliostat/v1/handwritten.txt"
    kept.write_text("ours")
    (repository / "heliostat/v1/moon_pb2.py").write_text("")
    assert list(renew(repository, fresh).values()) == ["left over"]
    assert drift(repository, fresh) == {}
    assert kept.read_text() == "ours"


def test_nothing_is_promised_before_the_first_release(repository: Path) -> None:
    git(repository, "init", "--quiet")
    assert promised(repository) is None


def test_the_last_tag_is_what_is_promised(repository: Path) -> None:
    git(repository, "init", "--quiet")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "contract: the sun rises")
    git(repository, "tag", "v0.1.0")
    assert promised(repository) == "v0.1.0"
    assert breaking(repository, "v0.1.0") == 0


def test_a_changed_field_number_breaks_the_promise(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    git(repository, "init", "--quiet")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "contract: the sun rises")
    source = repository / "proto/heliostat/v1/sunrise.proto"
    source.write_text(AGREEMENT.replace("at = 1", "at = 2"))
    assert breaking(repository, "HEAD") != 0
    assert "Sunrise" in capfd.readouterr().out


def test_a_revision_without_a_contract_promises_nothing(repository: Path) -> None:
    git(repository, "init", "--quiet")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "house: it is empty")
    assert breaking(repository, "HEAD") is None
