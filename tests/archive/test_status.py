"""``vidinfer status``: read from outside, at every stage of a run, changing nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.archive.conftest import InProcess, Poisoned, Runner, make_archive, outputs
from vidinfer.archive.engine import Event
from vidinfer.archive.inspect import inspect
from vidinfer.archive.state import StateFolder
from vidinfer.cli.main import main
from vidinfer.errors import UsageError


def told(capsys: pytest.CaptureFixture[str], out: Path) -> tuple[int, dict[str, object], str]:
    """Exit status, what --json says, and what a person reads."""
    capsys.readouterr()
    status = main(["status", str(out), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert main(["status", str(out)]) == status
    return status, document, capsys.readouterr().out


def test_complete(tmp_path: Path, label_archive: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    label_archive(make_archive(tmp_path / "in", clips=2))
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    status, document, text = told(capsys, tmp_path / "out")
    assert status == 0
    assert document["state"] == "complete"
    assert document["manifest"] == {"complete": 2}
    assert document["frames"] == 48
    assert "100.0 %, 2/2 sources, 2/2 units, 48 frames" in text
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_failures_and_quarantine_with_their_reasons(
    poisoned: Poisoned, capsys: pytest.CaptureFixture[str]
) -> None:
    status, document, text = told(capsys, poisoned.out)
    assert status == 1
    assert document["state"] == "complete"
    assert f"quarantined: {poisoned.poison}: crashed: SIGSEGV" in text
    assert "(3 tries)" in text
    assert "failed: evil\\x1b[2J\\n.mp4: " in text
    assert "\x1b" not in text
    (held,) = document["quarantine"]  # type: ignore[misc]
    assert "Segmentation fault" in held["log"]


class Looking(InProcess):
    """Looks at the folder while units are under way."""

    seen: list[str]
    out: Path

    def wait(self, seconds: float) -> list[Event]:
        standing = inspect(self.out)
        type(self).seen.append(standing.state)
        assert standing.exit_status == 0
        return super().wait(seconds)


def test_running(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    Looking.seen, Looking.out = [], tmp_path / "out"
    label_archive(archive, engine_factory=Looking)
    assert Looking.seen
    assert set(Looking.seen) == {"running"}
    assert inspect(tmp_path / "out").state == "complete"


def test_looking_keeps_no_run_from_starting(tmp_path: Path, label_archive: Runner) -> None:
    label_archive(make_archive(tmp_path / "in", clips=1))
    for _ in range(20):
        assert not inspect(tmp_path / "out").running
        with StateFolder(tmp_path / "out"):
            assert inspect(tmp_path / "out").running


def test_killed_interrupted_and_only_begun(
    tmp_path: Path, label_archive: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    with StateFolder(tmp_path / "out"):
        pass
    status, document, text = told(capsys, tmp_path / "out")
    assert (status, document["state"]) == (1, "killed")
    assert "run the same command again" in text
    label_archive(archive, budget="0.001s")
    status, document, _ = told(capsys, tmp_path / "out")
    assert (status, document["state"]) == (1, "interrupted")
    assert document["sources"]["done"] == 0


def test_what_was_written_by_another_version_or_half(
    tmp_path: Path, label_archive: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    label_archive(make_archive(tmp_path / "in", clips=1))
    before = outputs(tmp_path / "out")
    state = tmp_path / "out/.vidinfer"
    for text in (
        "",
        "{",
        "[]",
        '{"sources": 3, "state": 4}',
        '{"sources": {"total": 1}, "workers": "x"}',
        "\udcff",
    ):
        (state / "status.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        assert told(capsys, tmp_path / "out")[0] in (0, 1)
    (tmp_path / "out/manifest.parquet").write_bytes(b"PAR1")
    (state / "lock").unlink()
    assert told(capsys, tmp_path / "out")[0] in (0, 1)
    label_archive(tmp_path / "in")
    assert outputs(tmp_path / "out") == before


def test_nobody_is_sent_to_go_on_with_a_folder_of_another_version(
    tmp_path: Path, label_archive: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive, budget="0.001s")
    assert "run the same command again" in told(capsys, tmp_path / "out")[2]
    (tmp_path / "out/.vidinfer/format").write_text("99\x1b\n")
    status, document, text = told(capsys, tmp_path / "out")
    assert (status, document["of_another_version"], document["format"]) == (1, True, "99\x1b")
    assert "interrupted; made by another version of vidinfer (format 99\\x1b)" in text
    with pytest.raises(UsageError, match="made by another version"):
        label_archive(archive)


def test_where_there_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path)]) == 2
    assert "holds no archive run" in capsys.readouterr().err
    assert main(["status", str(tmp_path / "gone")]) == 2
    assert "is not there" in capsys.readouterr().err
    assert main(["status"]) == 2
    assert "0 folders given" in capsys.readouterr().err
    with pytest.raises(UsageError):
        inspect(tmp_path)
