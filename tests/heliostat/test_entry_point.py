"""The `heliostat` command where only the client wheel is installed."""

import subprocess
import sys
from pathlib import Path

import heliostat


def test_the_wheel_alone_says_what_is_missing_and_that_retrying_does_not_help(
    tmp_path: Path,
) -> None:
    (tmp_path / "heliostat").symlink_to(Path(heliostat.__file__).parent)
    ran = subprocess.run(
        [
            sys.executable,
            "-S",
            "-m",
            "heliostat",
            "plan",
            "get",
        ],  # -S: no other checkout's packages
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (78, "")
    assert "docs/install.md in the repository" in ran.stderr
    readme = (Path(heliostat.__file__).parents[1] / "README.md").read_text("utf-8")
    assert "\n## Run it\n" in readme
