from __future__ import annotations

import pytest

from vidinfer.address import shown
from vidinfer.config import RunConfig
from vidinfer.errors import UsageError
from vidinfer.source import expand_sources

SECRET = "rtsp://admin:pa@ss:word@10.0.0.7:554/stream?x=1"


def test_credentials_are_left_out_and_nothing_else() -> None:
    assert shown(SECRET) == "rtsp://…@10.0.0.7:554/stream?x=1"
    assert shown("clips/a@b.mp4") == "clips/a@b.mp4"
    assert shown("http://host/a@b.mp4") == "http://host/a@b.mp4"


def test_refusals_do_not_tell_the_password() -> None:
    with pytest.raises(UsageError, match="this is for files") as one:
        RunConfig(sources=(SECRET,)).require_offline()
    with pytest.raises(UsageError, match="live streams") as other:
        expand_sources([SECRET])
    assert "word" not in str(one.value) + str(other.value)
