"""Draw the sample clip and its exact ground truth.

    python -m training.make_sample_clip --out sample_media

Writes `traffic.mp4` (H.264 and AAC) and `traffic.coco.json`. Pictures are
drawn at twice the size and reduced; boxes come from the large ones, so they
are exact to half a pixel.
"""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from training.coco import annotation
from training.scenes import CATEGORIES, Label
from training.scenes.showcase import showcase_scene

SEED = 20_260_731  # outside the ranges in render_dataset.SEED_OF_SPLIT
WIDTH, HEIGHT, RATE, FRAMES = 1280, 720, 30, 360
SCALE = 2
SAMPLES = 48_000  # audio samples per second
MIN_VISIBLE = 0.3
MIN_SIDE, MIN_LONG_SIDE = 14, 40  # pixels; smaller objects are marked iscrowd


def annotations_of(frame: int, labels: list[Label], first: int) -> list[dict[str, Any]]:
    """COCO annotations of one frame, numbered from `first`."""
    made: list[dict[str, Any]] = []
    for label in labels:
        x1, y1, x2, y2 = (float(v) / SCALE for v in label.box)
        small = min(x2 - x1, y2 - y1) < MIN_SIDE or max(x2 - x1, y2 - y1) < MIN_LONG_SIDE
        ignore = small or label.visible < MIN_VISIBLE
        one = annotation(first + len(made), frame, label.category, [x1, y1, x2, y2], ignore)
        made.append({**one, "track_id": label.actor + 1, "visible": round(label.visible, 3)})
    return made


def _moved_band(rng: np.random.Generator, count: int, low: float, high: float) -> npt.NDArray[np.float64]:
    """Noise of `count` samples between two frequencies in Hz, peak 1."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    frequency = np.fft.rfftfreq(count, 1 / SAMPLES)
    shape = np.exp(
        -(((np.log(np.maximum(frequency, 1)) - np.log(np.sqrt(low * high))) / np.log(high / low)) ** 2) * 4
    )
    wave: npt.NDArray[np.float64] = np.fft.irfft(spectrum * shape, count)
    wave /= np.abs(wave).max()
    return wave


def street_sound(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Soft stereo street noise, (2, samples) in -1..1, as long as the clip."""
    count = SAMPLES * FRAMES // RATE
    time = np.arange(count) / SAMPLES
    sound = np.stack(
        [0.05 * _moved_band(rng, count, 60, 400) + 0.012 * _moved_band(rng, count, 800, 3000)] * 2
    )
    for passing in (0.8, 5.9, 7.2, 8.4, 9.3, 10.6):
        swell = np.exp(-(((time - passing) / 0.9) ** 2))
        side = np.clip((time - passing) / 1.6, -1, 1) * rng.choice([-1, 1])
        engine = _moved_band(rng, count, 90, 700) * 0.22 * swell
        sound += np.stack([engine * (0.6 - 0.4 * side), engine * (0.6 + 0.4 * side)])
    for ring in (3.1, 3.35):
        tone = np.exp(-9 * np.maximum(time - ring, 0)) * (time >= ring)
        sound += 0.035 * tone * (np.sin(2 * np.pi * 2093 * time) + 0.5 * np.sin(2 * np.pi * 4190 * time))
    fade = np.clip(np.minimum(time, time[-1] - time) / 0.4, 0, 1)
    return np.asarray(np.clip(sound * fade, -1, 1), np.float32)


class ClipWriter:
    """An mp4 with one H.264 and one AAC stream."""

    def __init__(self, path: Path) -> None:
        self.container = av.open(str(path), "w", options={"movflags": "faststart"})
        self.video = self.container.add_stream(
            "libx264", rate=RATE, options={"preset": "slow", "crf": "19", "g": "60"}
        )
        self.video.width, self.video.height, self.video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = self.video.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1, 1
        self.audio = self.container.add_stream("aac", rate=SAMPLES, layout="stereo")

    def picture(self, rgb: npt.NDArray[np.uint8], index: int) -> None:
        """Append frame `index`, RGB (H, W, 3)."""
        source = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame = source.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = index, Fraction(1, RATE)
        self.container.mux(self.video.encode(frame))

    def sound(self, samples: npt.NDArray[np.float32], start: int) -> None:
        """Append planar samples (2, N) that begin at sample `start`."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLES, start, Fraction(1, SAMPLES)
        self.container.mux(self.audio.encode(frame))

    def close(self) -> None:
        """Flush both encoders and finish the file."""
        self.container.mux(self.video.encode(None))
        self.container.mux(self.audio.encode(None))
        self.container.close()


def make_clip(out: Path, frames: int) -> None:
    """Write the clip and its ground truth into `out`."""
    scene = showcase_scene(SEED, WIDTH * SCALE, HEIGHT * SCALE)
    sound = street_sound(np.random.default_rng(SEED))
    writer = ClipWriter(out / "traffic.mp4")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    per_frame = SAMPLES // RATE
    for index in range(frames):
        large, labels = scene.render(index / RATE)
        small = np.asarray(cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
        writer.picture(small, index)
        writer.sound(sound[:, index * per_frame : (index + 1) * per_frame], index * per_frame)
        images.append(
            {
                "id": index,
                "file_name": f"traffic.mp4#{index}",
                "width": WIDTH,
                "height": HEIGHT,
                "frame": index,
            }
        )
        annotations += annotations_of(index, labels, len(annotations) + 1)
    writer.close()
    truth = {
        "info": {
            "description": "Exact ground truth of traffic.mp4, by training/make_sample_clip.py",
            "seed": SEED,
        },
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in enumerate(CATEGORIES) if i],
    }
    (out / "traffic.coco.json").write_text(json.dumps(truth, separators=(",", ":")) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=FRAMES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    make_clip(options.out, options.frames)


if __name__ == "__main__":
    main()
