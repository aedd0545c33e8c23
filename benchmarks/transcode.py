"""The bare transcode: the decoder's pictures straight into x264, with the settings of vidinfer's overlaid video.

Its own process: ``python -m benchmarks.transcode VIDEO OUT``.
"""

from __future__ import annotations

import json
import sys
import time
from fractions import Fraction

import av
from av.video.frame import PictureType

from vidinfer.plan import thread_plan
from vidinfer.sink.codec import X264

RATE = Fraction(30)


def main() -> None:
    """Transcode one file and say how long it took."""
    video, out = sys.argv[1:3]
    plan = thread_plan()
    options = {**X264, "crf": "23", "threads": str(plan.encoder), "g": str(2 * RATE)}
    frames, started = 0, time.perf_counter()
    with av.open(video) as source, av.open(out, "w", format="mp4") as output:
        decoding = source.streams.video[0]
        decoding.thread_type, decoding.thread_count = "FRAME", plan.cores
        stream = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = decoding.width, decoding.height, "yuv420p"
        for frame in source.decode(decoding):
            frame.pict_type = PictureType.NONE  # else the source's own choice is imposed on the encoder
            frame.pts, frame.time_base = frames, 1 / RATE
            output.mux(stream.encode(frame))
            frames += 1
        output.mux(stream.encode(None))
    print(json.dumps({"frames": frames, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
