"""What was measured of a model on this machine, kept for the next run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from vidinfer.model.trial import Sample
from vidinfer.tuned import Tuned

__all__ = ["Memory", "machine", "speeds"]

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
        known = self._rates(self._identity_of(sample)).get(str(sample.batch_size), {})
        return {str(k): float(v) for k, v in known.items() if isinstance(v, int | float) and v > 0}

    def keep(self, sample: Sample, rates: Mapping[str, float]) -> None:
        """Add to what is known."""
        self._add(self._identity_of(sample), {sample.batch_size: rates})

    def tuned(self, place: Sequence[int], width: int, height: int) -> Tuned | None:
        """The choice for frames displayed at ``width`` x ``height``, which take places of this shape."""
        return Tuned.read(self._read(self._identity(place, width, height)).get("tuned"))

    def keep_tuned(
        self,
        place: Sequence[int],
        width: int,
        height: int,
        rates: Mapping[int, Mapping[str, float]],
        tuned: Tuned,
    ) -> bool:
        """Keep the choice, and with it what was measured, by batch size; ``False``: it could not be written."""
        return self._add(self._identity(place, width, height), rates, {"tuned": tuned.as_dict()})

    def _rates(self, identity: Mapping[str, object]) -> dict[str, dict[str, Any]]:
        found = self._read(identity).get("rates")
        known = found if isinstance(found, dict) else {}
        return {size: rates for size, rates in known.items() if isinstance(rates, dict)}

    def _add(
        self,
        identity: Mapping[str, object],
        rates: Mapping[int, Mapping[str, float]],
        facts: Mapping[str, object] | None = None,
    ) -> bool:
        known = self._rates(identity)
        for size, more in rates.items():
            known[str(size)] = {**known.get(str(size), {}), **more}
        return self._write(identity, {"rates": known, **(facts or {})})

    def _write(self, identity: Mapping[str, object], facts: Mapping[str, object]) -> bool:
        """Add ``facts``, ready for JSON, to what is kept; all at once or not at all."""
        if self._folder is None:
            return False
        kept = {**self._read(identity), **facts, "version": VERSION, "identity": identity}
        path = self._path(identity)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".partial", delete=False) as file:
                json.dump(kept, file, indent=1)
            Path(file.name).replace(path)
        except OSError:
            return False
        return True

    def _read(self, identity: Mapping[str, object]) -> dict[str, Any]:
        """All that is kept; empty where there is nothing."""
        found = {} if self._folder is None else _file(self._path(identity))
        return found if found.get("identity") == identity else {}

    def _identity_of(self, sample: Sample) -> dict[str, object]:
        return self._identity(sample.places.shape[1:], sample.width, sample.height)

    def _identity(self, place: Sequence[int], width: int, height: int) -> dict[str, object]:
        size = {"place": list(place), "width": width, "height": height}
        return {**machine(), **self._model, **size}

    def _path(self, identity: Mapping[str, object]) -> Path:
        assert self._folder is not None
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]
        return self._folder / "measured" / f"{digest}.json"


def speeds(folder: Path, model: str) -> list[dict[str, Any]]:
    """What was measured of a model on this machine with these versions, the latest choice first.

    Each has ``identity`` and ``rates``, and ``tuned`` where somebody tuned.
    """
    here, found = machine(), []
    for path in folder.glob("measured/*.json"):
        facts = _file(path)
        identity = facts.get("identity")
        if isinstance(identity, dict) and {**identity, **here, "model": model} == identity:
            found.append(facts)
    return sorted(found, key=lambda one: str((one.get("tuned") or {}).get("date", "")), reverse=True)


def _file(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("version") == VERSION else {}


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
