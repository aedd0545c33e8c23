"""The made-up clip: whole, on time, moving, and the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidinfer.frame import Frame
from vidinfer.source import open_source, synthetic_clip


def test_a_clip_without_fault(tmp_path: Path) -> None:
    paths = [synthetic_clip(tmp_path / f"{i}.mp4", width=320, height=180, frames=12, times=3) for i in (1, 2)]
    source = open_source(paths[0], name="clip", threads=1)
    items = list(source)
    pictures = [item.picture.rgb() for item in items if isinstance(item, Frame) and not item.corrupt]
    source.close()
    assert len(items) == len(pictures) == 36
    times = [item.stamp.time for item in items if isinstance(item, Frame)]
    np.testing.assert_allclose(np.diff(np.array(times, float)), 1 / 30, atol=1e-9)
    moved = np.abs(pictures[0].astype(int) - pictures[6]).mean()
    assert moved > 5
    assert pictures[0].std() > 20
    # The second round shows the same pictures, decoded from the same packets.
    np.testing.assert_array_equal(pictures[1], pictures[13])
    assert source.info.rate == 30
