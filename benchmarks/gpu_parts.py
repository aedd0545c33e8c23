"""The parts of :mod:`benchmarks.gpu`; each prints one JSON object per figure."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

CLIP = "clip.mp4"
SIZE = WIDTH, HEIGHT = 1920, 1080
SAMPLE = Path(__file__).parents[1] / "sample_media" / "traffic.mp4"
PICTURES = 8
DECODE_SECONDS, MODEL_SECONDS, COPY_SECONDS = 5.0, 0.8, 0.5
SESSIONS = (1, 2, 4, 7)
BATCHES = (32, 8, 128, 64, 256, 16)
"""The most telling first: time may run out."""
WAYS = (
    ("cudagraphs", "fp16"),
    ("eager", "fp16"),
    ("eager", "fp32"),
    ("cudagraphs", "fp32"),
    ("cudagraphs", "bf16"),
    ("eager", "bf16"),
)


def tell(what: str, figure: float | str, unit: str = "", remarks: str = "", **more: object) -> None:
    """Print one figure."""
    print(json.dumps({"what": what, "figure": figure, "unit": unit, "remarks": remarks, **more}), flush=True)


def run_part(name: str, folder: Path, seconds: float) -> None:
    """Run one part; what may be left out is, once ``seconds`` have passed."""
    deadline = time.monotonic() + seconds
    kind, _, argument = name.partition(" ")
    parts: dict[str, Callable[[], None]] = {
        "context": context,
        "clip": lambda: clip(folder),
        "copies": copies,
        "decode": lambda: decode(folder),
        "nvdec": lambda: nvdec(folder),
        "precisions": lambda: precisions(deadline),
        "model": lambda: model(argument, folder, deadline),
        "runs": lambda: runs(folder, deadline),
    }
    parts[kind]()


# --- what this machine is, and whether its libraries work together ---


def context() -> None:
    """The device, the driver, and PyAV beside torch in one process."""
    import os

    import torch

    if not torch.cuda.is_available():
        tell("no device", "")
        return
    free, total = torch.cuda.mem_get_info()
    tell("device", torch.cuda.get_device_name(), remarks=f"{total >> 30} GiB, {free >> 30} free")
    tell("cores", float(len(os.sched_getaffinity(0))))
    tell(
        "torch",
        torch.__version__,
        remarks=f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}",
    )
    _encoder()
    # Each in a process of its own: what FFmpeg and torch agree upon holds for the life of one.
    for order in ("av first", "torch first, primary", "torch first, current"):
        found = subprocess.run(
            [sys.executable, "-c", SHARED_CONTEXT, order],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        lines = (found.stdout.strip() or found.stderr.strip() or "nothing was said").splitlines()
        tell(f"PyAV and torch: {order}", "works" if found.returncode == 0 else "fails", remarks=lines[-1])


def _encoder() -> None:
    import av

    try:
        context = av.VideoCodecContext.create("h264_nvenc", "w")
        context.width, context.height, context.pix_fmt = 640, 360, "yuv420p"
        context.time_base = "1/30"  # type: ignore[assignment]
        context.open()
        tell("NVENC", "there")
    except Exception as error:
        tell("NVENC", "not there", remarks=f"{type(error).__name__}: {error}")


SHARED_CONTEXT = """
import io, sys
from fractions import Fraction
import cv2, torch, av, numpy as np
from av.codec.hwaccel import HWAccel

order = sys.argv[1]
file = io.BytesIO()
with av.open(file, "w", format="mp4") as out:
    stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
    stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
    for i in range(40):
        picture = np.random.default_rng(i // 8).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")))
    out.mux(stream.encode(None))
if order != "av first":
    torch.ones(8, device="cuda").sum().item()
options = {"primary_ctx": "0", "current_ctx": "1"} if order.endswith("current") else {"primary_ctx": "1"}
file.seek(0)
container = av.open(file, hwaccel=HWAccel("cuda", device="0", is_hw_owned=True, options=options))
before, frames, planes = None, [], []
for frame in container.decode(video=0):
    if before is None:
        torch.ones(8, device="cuda").sum().item()
        before = torch.cuda.mem_get_info()[0]
    frames.append(frame)
layout = frames[0].sw_format.name if frames[0].sw_format else "software"
assert frames[0].format.name == "cuda", f"decoded in software: {frames[0].format.name}"
held = (before - torch.cuda.mem_get_info()[0]) / (len(frames) - 1) / 2**20
y = torch.utils.dlpack.from_dlpack(frames[3].planes[0].__dlpack__())
file.seek(0)
expected = [f for f in av.open(file).decode(video=0)][3].to_ndarray(format="yuv420p")[:1080]
assert (y.cpu().numpy() == expected).all(), "the pixels differ from those of software"
print(f"{layout} on {y.device}, the pixels of software, {held:.1f} MiB for each frame held")
"""


def clip(folder: Path) -> None:
    """The clip of the other parts: as cameras make it, a keyframe every second, 12,000 frames."""
    from vidinfer.source.synthetic import synthetic_clip

    began = time.monotonic()
    path = synthetic_clip(folder / CLIP, width=WIDTH, height=HEIGHT, frames=120, times=100)
    size = path.stat().st_size
    tell("size", size / 2**20, "MiB", f"12,000 frames, {size * 8 / 400 / 1e6:.1f} Mbit/s, made in "
         f"{time.monotonic() - began:.0f} s")  # fmt: skip


def copies() -> None:
    """Host to device, in one stream."""
    import torch

    size = 256 << 20
    there = torch.empty(size, dtype=torch.uint8, device="cuda")
    for name, locked in (("page-locked", True), ("pageable", False)):
        here = torch.zeros(size, dtype=torch.uint8, pin_memory=locked)
        there.copy_(here, non_blocking=True)
        torch.cuda.synchronize()
        began, count = time.monotonic(), 0
        while time.monotonic() - began < COPY_SECONDS:
            there.copy_(here, non_blocking=True)
            torch.cuda.synchronize()
            count += 1
        tell(f"host to device, {name}", count * size / (time.monotonic() - began) / 1e9, "GB/s")


# --- decoding alone ---


def decode(folder: Path) -> None:
    """Software: FFmpeg's threads, nothing converted."""
    import os

    import av

    cores = len(os.sched_getaffinity(0))
    for threads in sorted({1, max(1, cores // 2), cores}):
        with av.open(str(folder / CLIP)) as container:
            stream = container.streams.video[0]
            stream.thread_type, stream.thread_count = "AUTO", threads
            rate = _frames_per_second([lambda c=container: c.decode(video=0)])  # type: ignore[misc]
        tell(f"software, {threads} threads", rate, "frames/s")


def nvdec(folder: Path) -> None:
    """Sessions side by side, pictures staying on the device; then one as vidinfer opens it."""
    import av
    import torch
    from av.codec.hwaccel import HWAccel

    for sessions in SESSIONS:
        opened = [
            av.open(str(folder / CLIP), hwaccel=HWAccel("cuda", device="0", is_hw_owned=True))
            for _ in range(sessions)
        ]
        rate = _frames_per_second([lambda c=one: c.decode(video=0) for one in opened])  # type: ignore[misc]
        name = next(opened[0].decode(video=0)).format.name
        used = (lambda free, total: (total - free) / 2**20)(*torch.cuda.mem_get_info())
        tell(
            f"NVDEC, {sessions} sessions",
            rate,
            "frames/s" if name == "cuda" else "",
            f"{name}; {used:.0f} MiB used",
        )
        for one in opened:
            one.close()
    from vidinfer.source.nvdec import open_nvdec

    for sessions in SESSIONS:
        source = open_nvdec(folder / CLIP, name=CLIP, threads=1, sessions=sessions)
        rate = _frames_per_second([lambda s=source: iter(s)])  # type: ignore[misc]
        found: Any = source.facts()["nvdec"]
        tell(f"one file, {sessions} sessions", rate, "frames/s" if found["used"] else "", json.dumps(found))
        source.close()


def _frames_per_second(readers: Sequence[Callable[[], Iterator[Any]]]) -> float:
    """All of them in threads, for ``DECODE_SECONDS``."""
    counts, stop = [0] * len(readers), threading.Event()

    def read(i: int, reader: Callable[[], Iterator[Any]]) -> None:
        for _ in reader():
            counts[i] += 1
            if stop.is_set():
                return

    threads = [threading.Thread(target=read, args=each) for each in enumerate(readers)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    stop.wait(DECODE_SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


# --- the model alone ---


def precisions(deadline: float) -> None:
    """What vidinfer chooses by itself, and how every candidate agrees with eager fp32, on real pictures."""
    import av

    with av.open(str(SAMPLE)) as container:
        size = container.streams.video[0].width, container.streams.video[0].height
    for name, weights in (("demo", "DEFAULT"), ("resnet50", "none")):
        if time.monotonic() > deadline - 15:
            return
        loaded, batch = _loaded(name, SAMPLE, 32, weights=weights, size=size)
        began = time.monotonic()
        loaded.settle(batch[:PICTURES], *size, 32)
        info = loaded.info
        tell(
            f"{name}: chosen",
            f"{info.backend} {info.precision}",
            remarks=f"in {time.monotonic() - began:.0f} s",
        )
        for one in info.details.get("candidates", ()):
            rate = one["frames_per_second"]
            remarks = one.get("failure") or json.dumps(one["parity"])
            tell(
                f"{name}: {one['backend']} {one['precision']}",
                rate or "",
                "frames/s" if rate else "",
                remarks,
            )
        loaded.close()


def model(name: str, folder: Path, deadline: float) -> None:
    """From page-locked slots to results, for each backend, precision and batch size."""
    import torch

    for batch_size in BATCHES:
        loaded, batch = _loaded(name, folder / CLIP, batch_size)
        for backend, precision in WAYS:
            if time.monotonic() > deadline - 3:
                tell("the rest", "left out", remarks="no time left")
                return
            what = f"{backend} {precision}, batch {batch_size}"
            torch.cuda.reset_peak_memory_stats()
            try:
                _run_as(loaded, backend, precision)
                rate, finishing = _model_only(loaded, batch)
            except Exception as error:
                tell(what, "fails", remarks=f"{type(error).__name__}: {error}")
                continue
            peak = torch.cuda.max_memory_allocated() / 2**20
            tell(what, rate, "frames/s", f"post-processing {finishing * 1000:.2f} ms a batch, {peak:.0f} MiB at most",
                 batch=batch_size)  # fmt: skip
        loaded.close()


def _loaded(
    name: str, path: Path, batch_size: int, *, weights: str = "none", size: tuple[int, int] = SIZE
) -> tuple[Any, Any]:
    """The model on the GPU, and a slot with the first pictures of a clip again and again."""
    import cv2  # noqa: F401 - before av

    from vidinfer.feeder import fill_for
    from vidinfer.model import load_model
    from vidinfer.source import open_source

    loaded: Any = load_model(name, weights=weights, device="cuda")
    spec = loaded.input_for(*size)
    slot, fill = loaded.allocate(batch_size, spec), fill_for(spec)
    source = open_source(path, name=path.name, threads=4)
    pictures = [item.picture for item, _ in zip(source, range(PICTURES), strict=False)]  # type: ignore[union-attr]
    for i, place in enumerate(slot):
        fill(pictures[i % len(pictures)], place)
    source.close()
    return loaded, slot


def _run_as(loaded: Any, backend: str, precision: str) -> None:
    """Without the trials that ``settle`` would make first."""
    from vidinfer.model.backends import Supplies, candidates_for
    from vidinfer.model.engines import Engines
    from vidinfer.model.finite import FiniteGuard

    (candidate,), _ = candidates_for(loaded._execution.device, backend, precision, 1)
    loaded._guard = FiniteGuard()
    loaded._engines = Engines(loaded._task, candidate.make(Supplies()), loaded._guard)


def _model_only(loaded: Any, batch: Any) -> tuple[float, float]:
    """Frames a second with as many batches on their way as the backend wants; seconds of post-processing alone."""
    import torch

    for _ in range(2):
        loaded.predict(batch, *SIZE)
    waiting: deque[Any] = deque()
    began, done = time.monotonic(), 0
    while (passed := time.monotonic() - began) < MODEL_SECONDS or not done:
        waiting.append(loaded.submit(batch, *SIZE))
        if len(waiting) >= loaded.in_flight:
            waiting.popleft().results()
            done += len(batch)
    rate = done / passed
    while waiting:
        waiting.popleft().results()
    pending = loaded.submit(batch, *SIZE)
    torch.cuda.synchronize()
    began = time.monotonic()
    pending.results()
    return rate, time.monotonic() - began


# --- whole runs ---


def runs(folder: Path, deadline: float) -> None:
    """``vidinfer`` as a user runs it, from the file to the labels."""
    common = ["--model", "ssdlite320_mobilenet_v3_large", "--weights", "none", "--device", "cuda", "--quiet"]
    ways: tuple[tuple[str, str, list[str]], ...] = (
        ("labels, software", "decode", []),
        ("labels, NVDEC", "nvdec", ["--decode", "nvdec"]),
        ("labels and overlay, software", "decode", ["--video", "--max-frames", "3000"]),
    )
    for what, decoded_by, options in ways:
        left = deadline - time.monotonic()
        if left < 10:
            tell(what, "left out", remarks="no time left")
            continue
        out = folder / what.replace(" ", "-").replace(",", "")
        command = [sys.executable, "-m", "vidinfer", str(folder / CLIP), *common, *options, "--out", str(out)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=left, check=False)
        except subprocess.TimeoutExpired:
            tell(what, "fails", remarks=f"stopped after {left:.0f} s")
            continue
        if done.returncode:
            tell(what, "fails", remarks=(done.stderr.strip().splitlines() or ["no message"])[-1])
            continue
        _tell_run(what, decoded_by, json.loads((out / "clip.run.json").read_text()))


def _tell_run(what: str, decoded_by: str, report: Any) -> None:
    light, info = report.get("speed_of_light") or {}, report["model"]
    used = report["source"].get("nvdec") or {}
    remarks = f"{info['backend']} {info['precision']}; {json.dumps(light)}; {json.dumps(used)}"
    kind = decoded_by if used.get("used") or decoded_by == "decode" else "decode"
    tell(what, float(light.get("achieved") or 0.0), "frames/s", remarks,
         model_only=light.get("model_only"), decoded_by=kind)  # fmt: skip
