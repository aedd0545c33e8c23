"""The README does what it says: its commands are accepted, its example runs, its files are there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from vidinfer.cli.main import main
from vidinfer.cli.run import read_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")])


def commands(program: str) -> list[list[str]]:
    """Every indented line of the README that starts with ``program``, without comment and pipe."""
    found = []
    for line in README.splitlines():
        match = re.match(rf"    (?:\.venv/bin/)?{program} (.*)", line)
        if match:
            words = shlex.split(match.group(1).split(" | ")[0], comments=True)
            found.append(words)
    return found


@pytest.mark.parametrize("words", commands("vidinfer"), ids=" ".join)
def test_each_command_is_accepted(words: list[str]) -> None:
    if words[0] in ("models", "plan", "probe", "doctor", "tune", "bench", "export", "render", "status"):
        out = subprocess.run(
            [sys.executable, "-m", "vidinfer", words[0], "--help"], capture_output=True, text=True
        )
        assert out.returncode == 0, out.stderr
        assert out.stdout.startswith(f"usage: vidinfer {words[0]}")
    else:
        assert read_config(words).sources


def test_there_are_commands_to_test() -> None:
    assert len(commands("vidinfer")) >= 8


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", README + (ROOT / "CONTRIBUTING.md").read_text()))
    assert {"demo", "test"} <= named <= targets


def test_the_python_example_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert out.returncode == 0, out.stderr
    assert re.match(r"0\.000 s  \w+ 0\.\d\d  -?\d+,-?\d+ \d+,\d+$", out.stdout.splitlines()[0])
    assert len(block.strip().splitlines()) <= 14


def test_the_examples_of_own_models_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "own-models.md").read_text()
    factory, export = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert all(len(block.strip().splitlines()) <= 10 for block in (factory, export))
    (tmp_path / "mine.py").write_text(factory)
    (tmp_path / "names.txt").write_text("empty\nbusy\nblocked\n")
    subprocess.run([sys.executable, "-W", "ignore", "-c", export], check=True, cwd=tmp_path, timeout=300)
    clip = ROOT / "sample_media" / "traffic.mp4"
    monkeypatch.chdir(tmp_path)
    for words in ("--model mine:make", "--model mine.pt2 --labels-file names.txt"):
        assert f"vidinfer clip.mp4 {words}" in page
        arguments = [str(clip), *words.split(), "--max-frames", "2", "--labels", "-", "--out", "out"]
        assert main(arguments) == 0
        lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        assert [one["label"] in ("empty", "busy", "blocked") for one in lines[1]["classes"]] == [True] * 3
    del sys.modules["mine"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_tree_in_architecture_is_the_tree() -> None:
    tree = (ROOT / "ARCHITECTURE.md").read_text().split("The rules", 1)[0].split("Rules,", 1)[0]
    named = set(re.findall(r"\b([a-z_]+(?:\.py|/))", tree))
    package = ROOT / "vidinfer"
    there = {p.name for p in package.glob("*.py") if not p.name.startswith("__")}
    there |= {f"{p.name}/" for p in package.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert there <= named, f"not in ARCHITECTURE.md: {sorted(there - named)}"
    assert named - {"vidinfer/"} <= there, f"only in ARCHITECTURE.md: {sorted(named - there)}"
