"""User and password as HTTP and RTSP want them: Basic, and Digest by RFC 7616 (and 2069, for old cameras)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable

__all__ = ["authorization"]

_FIELD = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def authorization(
    challenges: Iterable[str], user: str, password: str, method: str, uri: str, *, cnonce: str = ""
) -> str | None:
    """The ``Authorization`` header that answers the strongest of ``challenges`` that is known, else ``None``.

    Args:
        challenges: the ``WWW-Authenticate`` headers of the refusal.
        method: of the request to come.
        uri: of the request to come, as it will stand in it.
        cnonce: for tests; else random.
    """
    basic, best = None, None
    for challenge in challenges:
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "basic":
            basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        elif scheme.lower() == "digest":
            fields = {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _FIELD.finditer(rest)}
            name = fields.get("algorithm", "MD5").upper().removesuffix("-SESS")
            if name in _HASHES and "nonce" in fields and (best is None or name != "MD5"):
                best = _digest(fields, user, password, method, uri, cnonce or secrets.token_hex(8))
    return best or basic


def _digest(fields: dict[str, str], user: str, password: str, method: str, uri: str, cnonce: str) -> str:
    algorithm = fields.get("algorithm", "MD5")
    name = _HASHES[algorithm.upper().removesuffix("-SESS")]

    def h(text: str) -> str:
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce = fields.get("realm", ""), fields["nonce"]
    secret = h(f"{user}:{realm}:{password}")
    if algorithm.upper().endswith("-SESS"):
        secret = h(f"{secret}:{nonce}:{cnonce}")
    wanted = h(f"{method}:{uri}")
    parts = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"']
    if "auth" in [quality.strip() for quality in fields.get("qop", "").split(",")]:
        answer = h(f"{secret}:{nonce}:00000001:{cnonce}:auth:{wanted}")
        parts += ["qop=auth", "nc=00000001", f'cnonce="{cnonce}"']
    else:
        answer = h(f"{secret}:{nonce}:{wanted}")
    parts.append(f'response="{answer}"')
    if "algorithm" in fields:
        parts.append(f"algorithm={algorithm}")
    if "opaque" in fields:
        parts.append(f'opaque="{fields["opaque"]}"')
    return "Digest " + ", ".join(parts)
