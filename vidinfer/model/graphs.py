"""Converted networks kept on disk: converting takes seconds, reading a tenth of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from vidinfer.model.engine import DensePart

__all__ = ["GraphStore"]

KEPT = 16
"""Networks; the one that was not used for longest makes room."""


class GraphStore:
    """Files ``NAME.xml`` and ``NAME.bin`` in one folder, named by everything that they depend on.

    What cannot be written is not kept; that costs the next run its head start and nothing else.
    """

    def __init__(self, folder: Path | None, identity: Mapping[str, object]) -> None:
        """``folder``: ``None`` keeps nothing. ``identity``: the network, its weights, and the versions that convert."""
        self._folder = folder
        self._identity = dict(identity)

    def path_for(self, part: DensePart, example: Tensor, calibration: str = "") -> Path | None:
        """Where ``part`` for inputs like ``example`` is, or would be; the number of rows does not matter.

        ``calibration``: a digest of what it was quantised with.
        """
        if self._folder is None:
            return None
        facts = {"part": type(part).__name__, "place": list(example.shape[1:]), "dtype": str(example.dtype)}
        facts["calibration"] = calibration
        text = json.dumps({**self._identity, **facts}, sort_keys=True)
        path = self._folder / "graphs" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.xml"
        with suppress(OSError):
            path.touch(exist_ok=True) if path.exists() else None
        return path

    def keep(self, path: Path, save: Callable[[Path], object]) -> None:
        """Write with ``save(partial)``, and make room. Weights get their name first: no graph is without them."""
        partial = path.with_name(f"{path.stem}.partial.xml")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save(partial)
            partial.with_suffix(".bin").replace(path.with_suffix(".bin"))
            partial.replace(path)
        except (OSError, RuntimeError):  # a full disk, say: RuntimeError is OpenVINO's word for it
            self._remove(partial)
            return
        for old in sorted(path.parent.glob("*.xml"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
            self._remove(old)

    def _remove(self, path: Path) -> None:
        for one in (path, path.with_suffix(".bin")):
            with suppress(OSError):
                one.unlink()
