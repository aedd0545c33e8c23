"""Source addresses as they may be shown: without the password."""

from __future__ import annotations

import re

__all__ = ["shown"]

_CREDENTIALS = re.compile(r"(?<=://)[^/?#]*@")


def shown(address: str) -> str:
    """``address`` with what stands before the ``@`` of a network address left out."""
    return _CREDENTIALS.sub("…@", address)
