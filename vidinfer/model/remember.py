"""What was measured of a model on this machine, kept for the next run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from vidinfer.model.trial import Sample

__all__ = ["Memory", "machine"]

VERSION = 1
"""Of what is kept; another one's is not read."""
PACKAGES = ("vidinfer", "torch", "torchvision", "openvino")


def machine() -> dict[str, object]:
    """What figures depend on: processor, cores that may be used, and the versions that compute."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


class Memory:
    """Figures in one small file for each model, size of input and machine. Thread rule: one thread.

    A file that cannot be read, or is of another machine or version, counts as absent; one that cannot be written costs
    the next run its head start and nothing else.
    """

    def __init__(self, folder: Path | None, model: Mapping[str, object]) -> None:
        """``folder``: ``None`` remembers nothing. ``model``: its name, weights, device, …: whatever tells it apart."""
        self._folder = folder
        self._model = dict(model)

    def rates(self, sample: Sample) -> dict[str, float]:
        """Frames a second by candidate, in batches of the sample's size."""
        found = self.read(sample).get("rates")
        of_size = found.get(str(sample.batch_size)) if isinstance(found, dict) else None
        if not isinstance(of_size, dict):
            return {}
        return {str(k): float(v) for k, v in of_size.items() if isinstance(v, int | float) and v > 0}

    def keep(self, sample: Sample, rates: Mapping[str, float]) -> None:
        """Add to what is known."""
        known = self.read(sample).get("rates")
        all_sizes = known if isinstance(known, dict) else {}
        size = {str(sample.batch_size): {**self.rates(sample), **rates}}
        self.write(sample, {"rates": all_sizes | size})

    def write(self, sample: Sample, facts: Mapping[str, object]) -> None:
        """Add ``facts``, ready for JSON, to what is kept for such samples."""
        if self._folder is None:
            return
        identity = self._identity(sample)
        kept = {**self.read(sample), **facts, "version": VERSION, "identity": identity}
        path = self._path(identity)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".partial", delete=False) as file:
                json.dump(kept, file, indent=1)
            Path(file.name).replace(path)

    def read(self, sample: Sample) -> dict[str, Any]:
        """All that is kept for such samples; empty where there is nothing."""
        if self._folder is None:
            return {}
        identity = self._identity(sample)
        try:
            found = json.loads(self._path(identity).read_text())
        except (OSError, ValueError):
            return {}
        same = isinstance(found, dict) and (found.get("version"), found.get("identity")) == (
            VERSION,
            identity,
        )
        return found if same else {}

    def _identity(self, sample: Sample) -> dict[str, object]:
        place = list(sample.places.shape[1:])
        size = {"place": place, "width": sample.width, "height": sample.height}
        return {**machine(), **self._model, **size}

    def _path(self, identity: Mapping[str, object]) -> Path:
        assert self._folder is not None
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]
        return self._folder / "measured" / f"{digest}.json"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _processor() -> str:
    """The model's name where the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
