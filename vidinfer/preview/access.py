"""Who may look: hosts, origins and the token. Pure decisions over the headers of a request."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from vidinfer.errors import UsageError

__all__ = ["COOKIE", "Access", "is_loopback", "new_token"]

COOKIE = "vidinfer_preview"
LEAST = 12
"""Characters of a token."""


def new_token() -> str:
    """One that nobody guesses: 24 random bytes, safe in an address."""
    return secrets.token_urlsafe(24)


class Access:
    """The rules of one server. Thread rule: share freely."""

    def __init__(self, host: str, token: str | None) -> None:
        """Check that a server bound to ``host`` is protected.

        Raises:
            UsageError: others could reach it and there is no token, or one that is easily guessed.
        """
        self.local = is_loopback(host)
        if token is None and not self.local:
            raise UsageError(
                f"the preview on {host} can be reached from other machines: give it a token, or bind it to 127.0.0.1"
            )
        if token is not None and (len(token) < LEAST or not token.isascii() or not token.isprintable()):
            raise UsageError(
                f"a token of the preview has at least {LEAST} printable ASCII characters, got {len(token)}; "
                "`openssl rand -hex 16` makes one"
            )
        self._token = token

    @property
    def cookie(self) -> str:
        """What the cookie holds: made from the token, as every server on this host name is sent it."""
        return hmac.new((self._token or "").encode(), b"vidinfer preview", hashlib.sha256).hexdigest()

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why a request with these ``headers`` (case-insensitive) is refused whatever it brings; ``None``: it is not.

        On loopback the Host must be this machine's own, so that a page elsewhere whose name was rebound to 127.0.0.1
        (DNS rebinding) gets nothing. Everywhere, scripts and embeddings of other sites are refused.
        """
        host = headers.get("Host", "")
        if self.local and not is_loopback(_name(host)):
            return "this page is for this machine only: open it as localhost or 127.0.0.1"
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "requests from pages of other sites are refused"
        foreign = headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site")
        if foreign and headers.get("Sec-Fetch-Mode") != "navigate":
            return "requests from pages of other sites are refused"
        return None

    def granted(self, query: str | None, cookie: str | None, authorization: str | None) -> bool:
        """Whether one of these is right: ``?token=``, our cookie, ``Authorization: Bearer``."""
        if self._token is None:
            return True
        kind, _, bearer = (authorization or "").partition(" ")
        given = [query or "", bearer.strip() if kind.lower() == "bearer" else ""]
        right = [_same(one, self._token) for one in given]
        right.append(_same(cookie or "", self.cookie))
        return any(right)


def _same(given: str, expected: str) -> bool:
    """Compared in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _name(host: str) -> str:
    """A Host header without its port; empty where it makes no sense."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
