"""A live run as JSON, as the page and other programs get it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from vidinfer.address import shown
from vidinfer.latency import Percentiles
from vidinfer.status import LiveStatus, OutletStatus, StreamStatus

__all__ = ["names_apart", "told"]


def told(status: LiveStatus) -> dict[str, object]:
    """Everything of ``status``; no text in it holds what stands before the ``@`` of an address."""
    model = status.model
    return {
        "uptime": round(status.uptime, 3),
        "model": None
        if model is None
        else {
            "name": shown(model.name),
            "task": model.task,
            "weights": shown(model.weights),
            "device": model.device,
            "backend": model.backend,
            "precision": model.precision,
        },
        "streams": [
            _stream(stream, name)
            for stream, name in zip(status.streams, names_apart(status.streams), strict=True)
        ],
        "latency": _latency(status.latency),
        "latency_slo": status.latency_slo,
        "over_slo": status.over_slo,
        "batch_sizes": {str(size): n for size, n in sorted(status.batch_sizes.items())},
        "closed_by": dict(status.closed_by),
        "service": None if status.service is None else [round(part, 4) for part in status.service],
        "memory_bytes": status.memory_bytes,
        "warnings": [shown(text) for text in status.warnings],
        "warned": [{"at": round(one.at, 3), "text": shown(one.text)} for one in status.warned],
        "warned_total": status.warned_total,
    }


def names_apart(streams: Sequence[StreamStatus]) -> list[str]:
    """The names as they may be shown; of equal ones the second is ``name (2)``, and so on."""
    seen: Counter[str] = Counter()
    names = []
    for stream in streams:
        name = shown(stream.name)
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _stream(stream: StreamStatus, name: str) -> dict[str, object]:
    return {
        "name": name,
        "address": shown(stream.address),
        "state": stream.state.value,
        "seconds_in_state": round(stream.seconds_in_state, 3),
        "retry_in": _rounded(stream.retry_in),
        "epoch": stream.epoch,
        "size": None if stream.size is None else list(stream.size),
        "codec": stream.codec,
        "frames_per_second": _rounded(stream.frames_per_second),
        "labels_per_second": _rounded(stream.labels_per_second),
        "frames": stream.ledger.as_dict(),
        "latency": _latency(stream.latency),
        "shed": stream.shed.name.lower(),
        "reconnects": stream.reconnects,
        "flags": [shown(flag) for flag in stream.flags],
        "error": shown(stream.error),
        "outlets": [_outlet(outlet) for outlet in stream.outlets],
    }


def _outlet(outlet: OutletStatus) -> dict[str, object]:
    return {
        "name": shown(outlet.name),
        "written": outlet.written,
        "dropped": outlet.dropped,
        "waiting": outlet.waiting,
        "error": shown(outlet.error),
    }


def _latency(stages: Mapping[str, Percentiles]) -> dict[str, object]:
    return {stage: figures.as_dict() for stage, figures in stages.items()}


def _rounded(value: float | None) -> float | None:
    """``None`` too where it is not finite, which JSON cannot tell."""
    return None if value is None or not math.isfinite(value) else round(value, 3)
