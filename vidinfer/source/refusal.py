"""What the status of an answer means, and what to do about it."""

from __future__ import annotations

from vidinfer.errors import SourceError, SourceRefused

__all__ = ["refusal"]

_REFUSED = {
    401: "user and password are wanted, or wrong; give them as SCHEME://USER:PASSWORD@HOST/…",
    403: "forbidden to this user; allow it at the other end",
    404: "no such stream there; check the path",
}
_FOR_NOW = {
    453: "it has no bandwidth left for us; end other readers of it",
    503: "it is not ready; it is tried again",
}


def refusal(shown: str, status: int, reason: str = "") -> SourceError:
    """The error for an answer of ``status``: :class:`SourceRefused` where asking again soon is no use."""
    if status in _REFUSED:
        return SourceRefused(f"{shown}: {_REFUSED[status]} ({status})")
    what = _FOR_NOW.get(status, "the other end cannot serve it now; it is tried again")
    return SourceError(f"{shown}: {what} ({status}{' ' + reason if reason else ''})")
