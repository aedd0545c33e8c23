"""``--model FILE.pt2``: a program written by ``torch.export.save``, read without running anything from a pickle.

torch's own reader unpickles parts of such a file. Here every part that would be unpickled is first read as tensors
only, and a file with anything else in it is refused.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidinfer.errors import ModelUnavailable
from vidinfer.model.cache import sha256_of
from vidinfer.model.infer_task import infer_task
from vidinfer.model.network import Loaded
from vidinfer.model.own import named

__all__ = ["from_file"]

_TEXT = (".json", "/version", "/archive_version", "/byteorder", "/archive_format", "/.data/serialization_id")
"""Members that are read as text."""
_TENSOR = "tensor_"
"""How torch names constants that are tensors; others are objects of other kinds."""


def from_file(name: str, task: str | None, names: Sequence[str] | None) -> Loaded:
    """Read an exported program.

    It is given pixels in [0, 1], resized to the size that it was exported for, unless that was left open.

    Args:
        name: of the file.
        task: as stated by the user; ``None``: found out.
        names: class names; made up where ``None``.

    Raises:
        ModelUnavailable: no such file, no exported program, one that holds more than numbers, or names that do not fit.
    """
    path = Path(name).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"--model {name}: {error.strerror or error}; check the name") from error
    program = _loaded(name, data)
    shape = _input_shape(name, program)
    size = (int(shape[2]), int(shape[3])) if isinstance(shape[2], int) and isinstance(shape[3], int) else None
    network = _Exported(program.module(), shape[0] if isinstance(shape[0], int) else None)
    inferred = infer_task(name, network, None, task, size)
    return Loaded(
        path.name,
        inferred.task,
        network,
        named(name, inferred, names),
        weights=str(path),
        sha256=sha256_of(io.BytesIO(data)),
        preset=None,
        input_size=size,
        portable=False,
    )


class _Exported(torch.nn.Module):
    """Runs the program on batches of any size, also where it was exported for one."""

    def __init__(self, program: torch.nn.Module, batch: int | None) -> None:
        """``batch``: the one size that the program takes; ``None``: any."""
        super().__init__()
        self.program = program
        self._batch = batch

    def forward(self, *pictures: Tensor) -> Any:
        count = len(pictures[0])
        if self._batch is None or count == self._batch:
            return self.program(*pictures)
        parts = []
        for first in range(0, count, self._batch):
            part = [one[first : first + self._batch] for one in pictures]
            given = self.program(*(_filled(one, self._batch) for one in part))
            parts.append(_map(lambda rows, kept=part[0]: rows[: len(kept)], given))
        return _map(lambda *tensors: torch.cat(tensors), *parts)

    def train(self, mode: bool = True) -> _Exported:  # noqa: ARG002 - it stays as it was exported, and refuses to be told
        return self


def _filled(pictures: Tensor, count: int) -> Tensor:
    """``pictures`` and then the last of them again, ``count`` in all."""
    return torch.cat([pictures, pictures[-1:].expand(count - len(pictures), *pictures.shape[1:])])


def _map(function: Callable[..., Tensor], first: Any, *others: Any) -> Any:
    """``function`` of the tensors in outputs of the same form."""
    if isinstance(first, Mapping):
        return {key: _map(function, first[key], *(other[key] for other in others)) for key in first}
    if isinstance(first, list | tuple):
        return [_map(function, *parts) for parts in zip(first, *others, strict=True)]
    return function(first, *others)


def _loaded(name: str, data: bytes) -> Any:
    try:
        _refuse_pickles(name, data)
        return torch.export.load(io.BytesIO(data))
    except ModelUnavailable:
        raise
    except Exception as error:  # a file of another kind or version fails in any way it likes
        first = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise ModelUnavailable(
            f"--model {name}: not a program of torch.export.save that torch {torch.__version__} can read ({first})"
        ) from error


def _refuse_pickles(name: str, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        raw = _raw_tensors(archive)
        for member in archive.namelist():
            if member.endswith(_TEXT):
                continue
            if _is_object(member):
                raise ModelUnavailable(
                    f"--model {name}: {member} is an object that only running code could read; nothing was run. "
                    "Export a model of tensors only"
                )
            content = archive.read(member)
            if member.split("/", 1)[-1] in raw or not content:
                continue
            try:
                torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            except Exception as error:
                raise ModelUnavailable(
                    f"--model {name}: {member} holds more than tensors, which only running code could read; "
                    "nothing was run"
                ) from error


def _is_object(member: str) -> bool:
    folder, _, file = member.rpartition("/")
    return folder.endswith("data/constants") and not file.startswith(_TENSOR)


def _raw_tensors(archive: zipfile.ZipFile) -> frozenset[str]:
    """Members that torch reads as bare numbers."""
    found: set[str] = set()
    for member in archive.namelist():
        if member.endswith("_config.json"):
            folder = member.rpartition("/")[0].split("/", 1)[-1]
            for entry in _entries(json.loads(archive.read(member))):
                if entry.get("use_pickle") is False and "path_name" in entry:
                    found.add(f"{folder}/{entry['path_name']}")
    return frozenset(found)


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries inside a JSON value."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _entries(item)


def _input_shape(name: str, program: Any) -> tuple[Any, ...]:
    """Shape of the one input; a size that was left open is not an ``int``."""
    users = list(program.graph_signature.user_inputs)
    shapes = [
        tuple(node.meta["val"].shape)
        for node in program.graph_module.graph.nodes
        if node.op == "placeholder" and node.name in users and isinstance(node.meta.get("val"), Tensor)
    ]
    if len(shapes) not in (1, 2) or len(shapes[0]) != 4 or shapes[0][1] != 3:
        got = ", ".join(str(tuple(map(str, shape))) for shape in shapes) or "none"
        raise ModelUnavailable(
            f"--model {name}: its inputs are {got}, expected one (batch, 3, height, width), or two for optical flow"
        )
    return shapes[0]
