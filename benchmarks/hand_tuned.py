"""What an expert writes for one job on one file, with everything else left out: the yardstick for vidinfer's pipeline.

PyAV decodes in frame threads, the preprocessing is exactly torchvision's but cheap
(:mod:`benchmarks.hand_tuned_resize`), the network runs in OpenVINO, in bf16 where the processor has it, several
batches at a time, and its boxes are sorted out in numpy (:mod:`benchmarks.hand_tuned_models`). 8-bit 4:2:0 video
only, nothing is checked, no times, no report.

Its own process, sharing no code with vidinfer: ``python -m benchmarks.hand_tuned VIDEO MODEL WEIGHTS THRESHOLD OUT``.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import openvino as ov
import torch

from benchmarks.clips import FOLDER
from benchmarks.hand_tuned_models import BUILT, STREAMS, Network, compiled


def frames(video: str) -> Iterator[av.VideoFrame]:
    """Every frame, decoded ahead in threads."""
    with av.open(video) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.thread_count = "FRAME", STREAMS
        yield from container.decode(stream)


def label(video: str, network: Network, model: Any, out: str) -> int:
    """Keep a ring of requests busy; results leave in the order of the frames."""
    ring = [model.create_infer_request() for _ in range(STREAMS + 1)]
    slots = [np.zeros_like(network.example.numpy()) for _ in ring]
    for request, slot in zip(ring, slots, strict=True):
        request.set_input_tensor(ov.Tensor(slot, shared_memory=True))
    free, running = deque(zip(ring, slots, strict=True)), deque[Any]()
    labelled = 0
    with open(out, "w") as lines:  # noqa: PTH123

        def finish() -> None:
            nonlocal labelled
            request, slot, count = running.popleft()
            request.wait()
            for record in network.records([tensor.data[:count] for tensor in request.output_tensors]):
                lines.write(json.dumps({"frame": labelled} | record) + "\n")
                labelled += 1
            free.append((request, slot))

        filled = 0
        for frame in frames(video):
            if not filled and not free:
                finish()
            request, slot = free[0]
            network.prepare(frame, slot[filled])
            filled += 1
            if filled == network.batch:
                request.start_async()
                running.append((*free.popleft(), filled))
                filled = 0
        if filled:
            free[0][0].start_async()
            running.append((*free.popleft(), filled))
        while running:
            finish()
    return labelled


def main() -> None:
    """Label one file and say how long it took."""
    video, name, weights, threshold, out = sys.argv[1:6]
    torch.set_num_threads(1)
    with av.open(video) as container:
        size = container.streams.video[0].height, container.streams.video[0].width
    network = BUILT[name](Path(weights), size, float(threshold))
    kept = FOLDER / f"{Path(weights).stem}-{network.version}.xml"
    model = compiled(network.dense, network.example, list(network.example.shape), kept, STREAMS)
    with torch.inference_mode():
        started = time.perf_counter()
        done = label(video, network, model, out)
        print(json.dumps({"frames": done, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
