"""What running Heliostat writes, private keys above all, reaches neither a commit nor the image."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.agent.settings import AgentSettings
from services.cli.main import app
from services.control_plane.settings import ControlPlaneSettings

ROOT = Path(__file__).parents[2]


def _written(folder: Path) -> list[str]:
    """Paths in a checkout, as the processes' defaults and the pages' examples make them."""
    made = CliRunner().invoke(
        app, ["certs", "make", str(folder / "certs"), "--identity", "agent/eastus/agent-1"]
    )
    assert made.exit_code == 0, made.output
    certificates = [f"certs/{path.name}" for path in (folder / "certs").iterdir()]
    assert "certs/ca-key.pem" in certificates
    database = ControlPlaneSettings().database.removeprefix("sqlite:///")
    data_dir = AgentSettings(region="eastus").data_dir
    return [
        *certificates,
        "deploy/keys/server-key.pem",
        "plane.env",
        *(database, f"{database}-wal"),
        *(f"{data_dir}/journal.db", f"{data_dir}/routes.json"),
        "runs/runs/0123.json",
    ]


def test_git_ignores_what_running_leaves_behind(tmp_path: Path) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git here")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    subprocess.run([git, "init", "--quiet", str(checkout)], check=True)
    shutil.copy(ROOT / ".gitignore", checkout)
    written = _written(tmp_path)
    told = subprocess.run(
        [git, "-C", str(checkout), "check-ignore", "--no-index", "--stdin"],
        input="\n".join(written),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.splitlines() == written


def test_the_image_leaves_out_what_running_leaves_behind(tmp_path: Path) -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [_pattern(line) for line in lines if line and not line.startswith("#")]
    for path in _written(tmp_path):
        assert any(pattern.match(path) for pattern in patterns), path


def test_the_image_keeps_the_code_and_the_catalogues() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [_pattern(line) for line in lines if line and not line.startswith("#")]
    for path in ("services/cli/commands/certs.py", "deploy/catalogue.yaml", "heliostat/errors.py"):
        assert (ROOT / path).is_file()
        assert not any(pattern.match(path) for pattern in patterns), path


def _pattern(line: str) -> re.Pattern[str]:
    """A line of .dockerignore: rooted at the context, `**/` any folders, what lies below included."""
    text = re.escape(line).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    text = re.sub(r"\\\[(\w+)\\\]", r"[\1]", text)
    return re.compile(rf"{text}(?:/.*)?$")
