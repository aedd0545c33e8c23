"""What tests of ``vidinfer.label`` with live streams share."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import vidinfer

DEAD = "dead=rtsp://admin:hunter2@127.0.0.1:1/cam"
"""Nobody listens there."""


SECONDS = 30.0
"""More than anything here takes; who waits so long has failed."""


def label(*sources: str | Path, **options: Any) -> vidinfer.LabelledFrames:
    return vidinfer.label(list(sources), mode="live", **options)


def ours() -> list[threading.Thread]:
    """Our running threads."""
    return [one for one in threading.enumerate() if one.name.startswith("vidinfer-")]
