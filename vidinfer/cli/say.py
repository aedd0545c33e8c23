"""Standard error: lines for people, and a way to write from inside a signal handler."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from vidinfer.cli.text import printable

__all__ = ["last_words", "say", "say_at_once", "say_raw"]


def say(text: str) -> None:
    """``vidinfer: text`` on a line of its own."""
    say_raw(f"vidinfer: {printable(text)}\n")


def say_raw(text: str) -> None:
    """``text`` as it is. A standard error that nobody reads any more is no reason to fail."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # closed at the other end, or by us: there is nobody to tell


def say_at_once(text: str) -> None:
    """``text`` straight to the system: buffered streams must not be entered a second time by a signal handler."""
    try:
        os.write(sys.stderr.fileno(), text.encode("utf-8", "replace"))
    except (OSError, ValueError):
        return  # as above


def last_words(text: str, exit_status: int, arguments: Sequence[str]) -> str:
    """Why the program ends, as a line; as an event where ``arguments`` ask for events."""
    if "--log-json" in arguments:
        return json.dumps({"event": "error", "text": text, "exit_status": exit_status}) + "\n"
    return f"vidinfer: {printable(text)}\n"
