"""The browser of the overlaid video's tests."""

from __future__ import annotations

from tests.sink_video.conftest import watch

__all__ = ["watch"]
