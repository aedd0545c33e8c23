"""Addresses, passwords, statuses: no network."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.errors import SourceRefused, UsageError
from vidinfer.source.hls import _rewritten, _state
from vidinfer.source.http_auth import authorization
from vidinfer.source.live_address import Kind, parse_live
from vidinfer.source.patience import Patience
from vidinfer.source.refusal import refusal


@pytest.mark.parametrize(
    ("address", "kind", "host", "port"),
    [
        ("rtsp://10.0.0.7/x", Kind.RTSP, "10.0.0.7", 554),
        ("rtsps://u:p@[::1]:9/x", Kind.RTSP, "::1", 9),
        ("rtmp://host/live/x", Kind.RTMP, "host", 1935),
        ("https://host/x.m3u8?a=b", Kind.HTTP, "host", 443),
        ("udp://@:5000", Kind.UDP, "", 5000),
        ("udp://239.0.0.1:5000", Kind.UDP, "239.0.0.1", 5000),
        ("camera:2", Kind.CAMERA, "", 0),
        ("/dev/video0", Kind.CAMERA, "", 0),
        ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0", Kind.CAMERA, "", 0),
        ("/dev/v4l/by-id/a/b", Kind.FILE, "", 0),
        ("clips/a:b.mp4", Kind.FILE, "", 0),
    ],
)
def test_addresses(address: str, kind: Kind, host: str, port: int) -> None:
    found = parse_live(address)
    assert (found.kind, found.host, found.port) == (kind, host, port)


def test_a_camera_by_number_is_a_device() -> None:
    assert parse_live("camera:2").url == "/dev/video2"
    assert parse_live("camera:").url == "/dev/video0"
    assert parse_live("/dev/v4l/by-id/usb-A-video-index0").url == "/dev/v4l/by-id/usb-A-video-index0"


@pytest.mark.parametrize(
    "address", ["gopher://u:secret@host/x", "rtsp://u:secret@/x", "rtsp://u:secret@h:99999/", "udp://host"]
)
def test_addresses_that_are_none_say_so_without_the_password(address: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_live(address)
    assert "secret" not in str(error.value)


def test_what_servers_are_told_has_no_password() -> None:
    address = parse_live("rtsp://us%40er:p%3Aw@host:99/path?q=1#f")
    assert (address.user, address.password) == ("us@er", "p:w")
    assert address.bare == "rtsp://host:99/path?q=1"
    assert address.target == "/path?q=1"


def test_the_example_of_the_standard() -> None:
    """RFC 7616, section 3.9.1."""
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
    common = 'Digest realm="http-auth@example.org", qop="auth, auth-int", '
    common += f'nonce="{nonce}", opaque="{opaque}", algorithm='
    answer = authorization(
        [common + "MD5", common + "SHA-256"],
        "Mufasa",
        "Circle of Life",
        "GET",
        "/dir/index.html",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert answer is not None
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in answer


def test_cameras_that_know_no_quality_of_protection() -> None:
    """RFC 2069: three hashes."""
    answer = authorization(['Digest realm="r", nonce="n"'], "u", "p", "DESCRIBE", "rtsp://h/x")
    assert answer is not None
    assert re.search(r'response="[0-9a-f]{32}"', answer)
    assert "qop" not in answer


def test_basic_and_nothing_known() -> None:
    assert authorization(['Basic realm="r"'], "u", "p", "GET", "/") == "Basic dTpw"
    assert authorization(['Bearer realm="r"', 'Digest realm="r", algorithm=X'], "u", "p", "GET", "/") is None


def test_who_is_to_blame() -> None:
    for status in (401, 403, 404):
        assert isinstance(refusal("rtsp://h/x", status), SourceRefused)
    for status in (400, 453, 500, 503):
        assert not isinstance(refusal("rtsp://h/x", status), SourceRefused)


@given(st.floats(0.01, 5), st.integers(5, 40))
def test_patience_is_three_intervals_or_the_stall(interval: float, count: int) -> None:
    patience = Patience(2.0, 10.0)
    for i in range(count):
        patience.arrived(i * interval)
    assert patience.limit == pytest.approx(max(2.0, 3 * interval))


def test_before_a_pace_is_known_patience_is_that_of_the_opening() -> None:
    patience = Patience(2.0, 10.0)
    for i in range(4):
        assert patience.limit == 10.0
        patience.arrived(i * 0.04)


def test_playlists_become_complete_and_impatient() -> None:
    text = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI="i.mp4"\n#EXTINF:6.0,\ns.ts?x\n'
    lines = _rewritten(text, "http://h/a/list.m3u8").splitlines()
    assert lines[1] == "#EXT-X-TARGETDURATION:1"
    assert lines[3] == '#EXT-X-MAP:URI="http://h/a/i.mp4"'
    assert lines[4:] == ["#EXTINF:0.1,", "http://h/a/s.ts?x"]
    assert _state(text) == (8, False)
