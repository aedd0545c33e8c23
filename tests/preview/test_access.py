"""Who may look."""

from __future__ import annotations

import pytest

from vidinfer.errors import UsageError
from vidinfer.preview.access import Access, new_token

TOKEN = "a-long-enough-token"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_needs_no_token(host: str) -> None:
    assert Access(host, None).granted(None, None, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "camera-box", ""])
def test_any_other_host_needs_one(host: str) -> None:
    with pytest.raises(UsageError, match="give it a token, or bind it to"):
        Access(host, None)
    assert not Access(host, TOKEN).granted(None, None, None)


@pytest.mark.parametrize("token", ["", "short", "naïve-and-long-enough", "with\nnew-line-inside"])
def test_a_token_that_is_guessed_or_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match=r"at least 12 printable ASCII characters"):
        Access("0.0.0.0", token)


def test_each_way_to_bring_the_token() -> None:
    access = Access("0.0.0.0", TOKEN)
    assert access.granted(TOKEN, None, None)
    assert access.granted(None, access.cookie, None)
    assert access.granted(None, None, f"Bearer {TOKEN}")
    assert access.granted(None, None, f"bearer  {TOKEN}")
    for wrong in ("", "x", TOKEN[:-1], TOKEN + "x", "ü" * 20, access.cookie):
        assert not access.granted(wrong, None, None)
        assert not access.granted(None, None, f"Bearer {wrong}")
    assert not access.granted(None, TOKEN, None), "the cookie is not the token"
    assert not access.granted(None, None, f"Basic {TOKEN}")
    assert Access("0.0.0.0", TOKEN + "2").cookie != access.cookie
    assert TOKEN not in access.cookie


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "LOCALHOST:9"])
def test_own_hosts_are_answered_on_loopback(host: str) -> None:
    assert Access("127.0.0.1", None).refusal({"Host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::1",
        "10.0.0.1",
    ],
)
def test_a_name_that_was_rebound_is_refused_on_loopback(host: str) -> None:
    assert "this machine only" in (Access("127.0.0.1", None).refusal({"Host": host}) or "")
    assert Access("0.0.0.0", TOKEN).refusal({"Host": host}) is None, "there the token protects"


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"Origin": "http://localhost:80"}, False),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, False),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, True),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "websocket"}, True),
    ],
)
def test_other_sites_may_link_here_and_nothing_else(headers: dict[str, str], refused: bool) -> None:
    said = Access("127.0.0.1", None).refusal({"Host": "localhost:80"} | headers)
    assert (said is not None) == refused


def test_tokens_differ_and_are_long_enough() -> None:
    one, other = new_token(), new_token()
    assert one != other
    Access("0.0.0.0", one)
