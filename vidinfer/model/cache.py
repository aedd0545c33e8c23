"""Where torch keeps downloaded weights, and the fingerprint that a file's name promises."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import IO
from urllib.parse import urlparse

import torch

__all__ = ["cache_path", "promised_sha256", "sha256_of"]


def cache_path(url: str) -> Path:
    """The file that torch itself would use for ``url``."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def promised_sha256(name: str) -> str | None:
    """The leading hexadecimal digits in ``resnet50-11ad3fa6.pth``; ``None`` for a name without them."""
    found = re.search(r"[-_]([0-9a-f]{8,64})\.\w+$", name)
    return found[1] if found else None


def sha256_of(file: IO[bytes]) -> str:
    """The digest of the whole file, which is left at its beginning."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
