"""``python -m tests.live.v4l2_reading ADDRESS COUNT``: so many pictures as JSON lines, then the facts."""

from __future__ import annotations

import json
import sys
from contextlib import closing

from tests.media import read_number
from vidinfer.arrival import Received
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceError
from vidinfer.source.live import open_live


def main(address: str, count: int) -> None:
    try:
        source = open_live(address, name="camera", clock=MonotonicClock(), stall=1.0, patience=2.0)
    except SourceError as error:
        print(json.dumps({"error": type(error).__name__, "why": str(error)}))
        return
    with closing(source):
        left = count
        for item in source:
            print(
                json.dumps(
                    _told(item)
                    if isinstance(item, Received)
                    else {"gap": item.reason, "packets": item.packets}
                )
            )
            left -= isinstance(item, Received)
            if not left:
                break
        details = {
            name: str(source.info.details[name]) for name in ("codec", "pix_fmt", "camera", "pixel_format")
        }
        print(json.dumps(source.facts() | details | {"rate": str(source.info.rate)}))


def _told(item: Received) -> dict[str, object]:
    return {
        "number": read_number(item.frame.picture.rgb()),
        "pts": item.frame.stamp.pts,
        "captured": item.captured,
        "source": item.time_source.value,
    }


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
