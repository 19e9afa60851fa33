"""The agent's own brake from the command line: its directory says enough."""

from pathlib import Path

import pytest

from services.agent.journal.file import JournalFile
from services.agent.journal.operator import brake
from tests.builders import NOON
from tests.cli.running import heliostat
from tests.support.users import open_folder, somebody_else


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    JournalFile.open(tmp_path / "journal.db", NOON, power_safe=False).close()
    return tmp_path


def test_the_brake_asks_for_nothing_but_the_directory(folder: Path) -> None:
    ran = heliostat("agent", "pause", "--data-dir", folder)
    assert ran.code == 0, ran.err
    assert brake(folder / "journal.db").paused
    assert heliostat("agent", "status", "--data-dir", folder, "--json").json["paused"] is True
    assert heliostat("agent", "resume", "--data-dir", folder).code == 0
    assert not brake(folder / "journal.db").paused


def test_the_directory_may_stand_in_the_environment_or_a_whole_settings_file(
    folder: Path, tmp_path: Path
) -> None:
    ran = heliostat("agent", "pause", HELIOSTAT_AGENT_DATA_DIR=str(folder))
    assert ran.code == 0, ran.err
    file = tmp_path / "agent.yaml"
    file.write_text(f"region: eastus\ndata_dir: {folder}\ntick: 5\n")
    assert "was paused by" in heliostat("agent", "status", "--settings", file).out


def test_help_says_what_the_process_does_and_where_its_settings_are() -> None:
    said = " ".join(heliostat("agent", "--help").out.split())
    assert "until SIGTERM or Ctrl-C" in said
    assert "a HELIOSTAT_AGENT_… variable; options override both" in said


def test_a_directory_of_another_user_is_an_error_that_names_whom_to_run_as(folder: Path) -> None:
    heliostat("agent", "status", "--data-dir", folder)  # imports what nobody may not read
    with open_folder() as shared:
        data_dir = shared / "agent"
        data_dir.mkdir(mode=0o700)
        with somebody_else():
            ran = heliostat("agent", "pause", "--data-dir", data_dir)
    assert ran.code == 69
    assert f"Permission denied; run the command as root, who owns {data_dir}" in ran.err


@pytest.mark.parametrize("option", ["--data-dir", "--settings", "--catalogue"])
def test_options_before_the_brake_would_name_another_agent_and_are_refused(
    option: str, folder: Path
) -> None:
    ran = heliostat("agent", option, folder, "pause")
    assert ran.code == 2
    assert "agent pause" in ran.err
    assert not brake(folder / "journal.db").paused


@pytest.mark.parametrize("command", [("pause",), ("resume",), ("status",), ("adopt", "i-1")])
def test_a_settings_file_before_the_brake_is_never_dropped(
    command: tuple[str, ...], folder: Path
) -> None:
    ran = heliostat(
        "agent", "--settings", "other.yaml", *command, HELIOSTAT_AGENT_DATA_DIR=str(folder)
    )
    assert ran.code == 2


def test_a_settings_file_in_the_environment_holds_for_the_brake(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(f"data_dir: {folder}\n")
    assert heliostat("agent", "pause", HELIOSTAT_AGENT_SETTINGS=str(file)).code == 0
    assert brake(folder / "journal.db").paused


def test_the_file_of_a_control_plane_on_the_same_machine_is_none_of_the_agents(
    folder: Path, tmp_path: Path
) -> None:
    plane, agent = tmp_path / "plane.yaml", tmp_path / "agent.yaml"
    plane.write_text("page_listen: nonsense\n")
    agent.write_text("tick: nonsense\n")
    both = {"HELIOSTAT_SETTINGS": str(plane), "HELIOSTAT_AGENT_SETTINGS": str(agent)}
    for process, its, other in (("serve", "page_listen", "tick"), ("agent", "tick", "page_listen")):
        ran = heliostat(process, HELIOSTAT_AGENT_REGION="eastus", **both)
        assert ran.code == 78
        assert f"{its} (" in ran.err
        assert other not in ran.err


def test_a_directory_without_a_journal_is_named(tmp_path: Path) -> None:
    ran = heliostat("agent", "adopt", "i-1", "--data-dir", tmp_path / "nowhere")
    assert ran.code == 69
    assert "nowhere" in ran.err.replace("\n", "")
