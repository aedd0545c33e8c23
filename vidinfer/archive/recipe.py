"""What labels depend on besides the content of a file: a change of anything here, and units are made anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from vidinfer.config import RunConfig

__all__ = ["LABELLING", "can_be_split", "digest", "recipe_of"]

LABELLING = 1
"""Counted up whenever vidinfer itself gives other labels, or units get other columns."""

_SAMPLER = ("every", "fps", "keyframes", "start", "end", "max_frames", "duration", "clip_stride")
_STILL = ("skip_static",)
_MODEL = ("model", "task", "score_threshold", "top_k", "classes")
_RUNNING = ("backend", "precision", "decode", "allow_inexact", "max_batch_size")


def recipe_of(config: RunConfig, weights_sha256: str | None) -> dict[str, object]:
    """The part of a configuration that labels depend on, ready for JSON.

    Where files and outputs lie, how many workers there are and what is said on the way is no part of it. The weights
    count by their hash, not by their name; where there is none (random weights), by what was asked for.
    """
    options = {name: _plain(getattr(config, name)) for name in (*_MODEL, *_SAMPLER, *_STILL, *_RUNNING)}
    names = config.labels_file
    return {
        "labelling": LABELLING,
        **options,
        "weights": weights_sha256 or config.weights,
        "labels_file": None if names is None else hashlib.sha256(Path(names).read_bytes()).hexdigest(),
    }


def can_be_split(config: RunConfig) -> bool:
    """Which frames of a stretch are labelled, and how, can be told without what is before it."""
    one_by_one = config.task not in ("video", "optical_flow") and config.clip_stride is None
    return config.decode != "nvdec" and one_by_one


def digest(facts: Mapping[str, object]) -> str:
    """32 hexadecimal digits (BLAKE2b) of ``facts``, ready for JSON; their order does not matter."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Fraction | Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
