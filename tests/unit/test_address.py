from __future__ import annotations

import pytest

from vidinfer.address import shown, stream_names
from vidinfer.config import RunConfig
from vidinfer.errors import UsageError
from vidinfer.source import expand_sources

SECRET = "rtsp://admin:pa@ss:word@10.0.0.7:554/stream?x=1"


def test_credentials_are_left_out_and_nothing_else() -> None:
    assert shown(SECRET) == "rtsp://…@10.0.0.7:554/stream?x=1"
    assert shown("clips/a@b.mp4") == "clips/a@b.mp4"
    assert shown("http://host/a@b.mp4") == "http://host/a@b.mp4"
    assert shown("http://host:8080/a@b.mp4") == "http://host:8080/a@b.mp4"
    assert shown("udp://@:5000") == "udp://@:5000"
    assert shown("s3://bucket/user=7/key=b.mp4") == "s3://bucket/user=7/key=b.mp4"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("rtsp://admin:pa#word@10.0.0.7/x", "rtsp://…@10.0.0.7/x"),
        ("rtsp://admin:pa/wo?rd@10.0.0.7:554/x", "rtsp://…@10.0.0.7:554/x"),
        (
            "http://cam/v.cgi?loginuse=joe&loginpas=word_1&channel=2",
            "http://cam/v.cgi?loginuse=…&loginpas=…&channel=2",
        ),
        ("http://cam/v.cgi?u=joe&p=word", "http://cam/v.cgi?u=…&p=…"),
        (
            "http://cam/live.m3u8?X-Amz-Signature=word%2F&fps=5",
            "http://cam/live.m3u8?X-Amz-Signature=…&fps=5",
        ),
        (
            "rtsp://10.0.0.9:554/user=admin_password=word_channel=1_stream=0.sdp?real_stream",
            "rtsp://10.0.0.9:554/user=…_password=…_channel=1_stream=0.sdp?real_stream",
        ),
    ],
)
def test_wherever_cameras_take_their_password(address: str, told: str) -> None:
    assert shown(address) == told
    assert "word" not in "".join(stream_names([address])).replace("password", "")


def test_refusals_do_not_tell_the_password() -> None:
    with pytest.raises(UsageError, match="this is for files") as one:
        RunConfig(sources=(SECRET,)).require_offline()
    with pytest.raises(UsageError, match="live streams") as other:
        expand_sources([SECRET])
    assert "word" not in str(one.value) + str(other.value)


def test_texts_with_addresses_in_them() -> None:
    told = shown("no answer from rtsp://u:word@h/x, nor from http://h/?token=word at all")
    assert told == "no answer from rtsp://…@h/x, nor from http://h/?token=… at all"
    refused = "http://h/?pwd=word: refused"
    assert shown(shown(refused)) == shown(refused) == "http://h/?pwd=…: refused"
