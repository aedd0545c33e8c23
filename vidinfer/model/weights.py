"""From ``--weights`` to tensors: which weights are meant, and reading them without ever running code from a file.

torch's own loader checks a file's hash only while it downloads, and unpickles whatever lies in the cache. Here every
file is hashed before it is read, through the same open file, and read as numbers only.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor
from torchvision.models import WeightsEnum

from vidinfer.errors import ModelUnavailable
from vidinfer.model.cache import cache_path, promised_sha256, sha256_of
from vidinfer.model.download import DownloadFailed, download
from vidinfer.model.registry import nearest

__all__ = ["State", "choose_weights", "obtain", "read_state"]

FILE_KINDS = (".pth", ".pt", ".bin", ".safetensors")


@dataclass(frozen=True, slots=True)
class State:
    """Tensors by name, and where they came from."""

    tensors: Mapping[str, Tensor] = field(repr=False)
    origin: str
    sha256: str


def choose_weights(wanted: str, known: type[WeightsEnum], model: str) -> WeightsEnum | Path | None:
    """What ``--weights wanted`` means for a builder: one of its trained weights, a file, or ``None`` for random.

    Raises:
        ModelUnavailable: neither a name that the builder has nor a file.
    """
    if wanted.lower() == "none":
        return None
    name = wanted.removeprefix(f"{known.__name__}.")
    member = known.__members__.get(name) or known.__members__.get(name.upper())
    if member is not None:
        if not member.meta.get("categories") and any(m.meta.get("categories") for m in known):
            raise ModelUnavailable(f"weights {wanted!r} of {model} are features only: they name no classes")
        return member
    path = Path(wanted).expanduser()
    if path.exists():
        return path
    if path.suffix in FILE_KINDS or len(path.parts) > 1:
        raise ModelUnavailable(f"no such weights file: {wanted}")
    names = list(known.__members__)
    raise ModelUnavailable(
        f"{model} has no weights {wanted!r}{nearest(wanted, names)}; it has {', '.join(names)}; "
        "or give a file, or none"
    )


def obtain(
    member: WeightsEnum, *, progress: bool = False, url: str | None = None, **timeouts: float
) -> State:
    """The tensors of trained weights: from torch's cache, else downloaded into it.

    Args:
        progress: show a bar on stderr while downloading.
        url: another place that holds the same file.
        timeouts: as for :func:`~vidinfer.model.download.download`.

    Raises:
        ModelUnavailable: not to be had, or a cached file that is not what its name says.
    """
    path = cache_path(member.url)
    prefix = promised_sha256(path.name)
    if not path.is_file():
        try:
            download(url or member.url, path, sha256_prefix=prefix, progress=progress, **timeouts)
        except DownloadFailed as failure:
            raise ModelUnavailable(
                f"the weights {member} are not on this machine and could not be downloaded ({failure}). "
                f"Either put the file from {member.url} at {path}, or give a file of your own with --weights FILE, "
                "or use the bundled model with --model demo"
            ) from failure
    return read_state(path, sha256_prefix=prefix)


def read_state(path: Path, *, sha256_prefix: str | None = None) -> State:
    """The tensors in a ``.pth``, ``.pt`` or ``.safetensors`` file.

    Args:
        sha256_prefix: hexadecimal digits that the file's SHA-256 must begin with.

    Raises:
        ModelUnavailable: unreadable, another hash, or anything but tensors in it.
    """
    try:
        with path.open("rb") as file:
            digest = sha256_of(file)
            if sha256_prefix is not None and not digest.startswith(sha256_prefix):
                raise ModelUnavailable(
                    f"{path} is damaged or not what its name says: its SHA-256 begins with "
                    f"{digest[: len(sha256_prefix)]}, expected {sha256_prefix}; delete it, and it is fetched again"
                )
            tensors = _read(path, file)
    except OSError as error:
        raise ModelUnavailable(f"weights {path} cannot be read: {error.strerror or error}") from error
    return State(tensors, str(path), digest)


def _read(path: Path, file: BinaryIO) -> Mapping[str, Tensor]:
    try:
        content = _read_safetensors(file) if path.suffix == ".safetensors" else _read_torch(file)
    except OSError:
        raise
    except Exception as error:  # damaged files fail in the readers in every way there is
        raise ModelUnavailable(
            f"weights {path} cannot be read as plain tensors ({_reason(error)}); "
            "expected a state_dict saved by torch.save, or a .safetensors file. Nothing in it was run"
        ) from error
    for wrapper in ("state_dict", "model"):  # as training scripts save it, beside the optimiser
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ModelUnavailable(f"weights {path} hold a {type(content).__name__}, expected tensors by name")
    odd = [name for name, value in content.items() if not _is_state(value)]
    if odd:
        raise ModelUnavailable(
            f"weights {path} hold {len(odd)} entries that are not tensors (first: {odd[0]!r}), expected a state_dict"
        )
    return content


def _is_state(value: Any) -> bool:
    """What a state dict may hold: tensors; of quantised layers also a type, or tensors in a tuple."""
    if isinstance(value, tuple):
        return all(part is None or isinstance(part, Tensor) for part in value)
    return isinstance(value, Tensor | torch.dtype)


def _reason(error: Exception) -> str:
    """Why a file could not be read, in a few words. torch's own text advises to read it unsafely: not passed on."""
    text = " ".join(str(error).split())
    if isinstance(error, pickle.UnpicklingError):
        called = re.search(r"GLOBAL (\S+)", text)
        return f"it would call {called.group(1)}" if called else "it holds more than tensors"
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__


def _read_torch(file: BinaryIO) -> Any:
    with warnings.catch_warnings():
        # Of unusual pickles torch warns, and then reads or refuses them: that is all a user needs to hear.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(file, map_location="cpu", weights_only=True)


def _read_safetensors(file: BinaryIO) -> Any:
    from safetensors.torch import load

    return load(file.read())
