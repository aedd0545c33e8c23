"""Makes docs/demo.png: one frame of what ``make demo`` writes. ``python scripts/readme_picture.py [FRAME]``."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import av
from PIL import Image

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Draw the sample clip, and keep the frame."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 130
    subprocess.run(["make", "demo"], cwd=ROOT, check=True)
    with av.open(str(ROOT / "demo-out" / "traffic.annotated.mp4")) as video:
        frame = next(islice(video.decode(video=0), number, None))
        # An octree keeps the few pixels of vivid colour, which are the boxes; other methods average them away.
        picture = frame.to_image().quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        picture.save(ROOT / "docs" / "demo.png", optimize=True)


if __name__ == "__main__":
    main()
