"""What worker processes say, and that nobody fails for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAYS = """
import logging, os, sys, traceback, warnings
from pathlib import Path
from vidinfer.archive.worker_log import speak_into
speak_into(Path(sys.argv[1]))
print("printed")
warnings.warn("warned")
logging.warning("logged")
os.write(2, b"by a library\\n") if sys.argv[2:] else None
try:
    raise ValueError("\\ud800")
except ValueError as error:
    traceback.print_exception(error)
print("x" * 1_000_000, file=sys.stderr)
sys.exit(7)
"""


def test_all_that_is_said_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    ended = subprocess.run([sys.executable, "-c", SAYS, log, "library"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "", "")
    said = log.read_text()
    places = [
        said.index(word)
        for word in ("before", "printed", "warned", "logged", "by a library", "ValueError: \\ud800", "xxx")
    ]
    assert places == sorted(places)
    assert len(said) > 1_000_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_nobodys_fault() -> None:
    ended = subprocess.run([sys.executable, "-c", SAYS, "/dev/full"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (7, "")
