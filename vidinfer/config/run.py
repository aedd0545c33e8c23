"""What a run is asked to do, as one checked value."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from vidinfer.address import is_live, is_many, shown
from vidinfer.config.options import OPTIONS
from vidinfer.errors import UsageError

__all__ = ["RunConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Every option of a run; the table in ``options.py`` says what each means and allows.

    Any value may also be given as the text that a flag takes (``start="00:01:30"``).

    Raises:
        UsageError: a value or a combination of values makes no sense.
    """

    sources: tuple[str, ...] = ()
    model: str = "ssdlite320_mobilenet_v3_large"
    weights: str = "DEFAULT"
    labels_file: Path | None = None
    task: str | None = None
    """Of a user's own model; ``None``: found out."""
    score_threshold: float = 0.5
    top_k: int = 5
    classes: tuple[str, ...] | None = None
    """``None``: all."""
    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"
    decode: str = "exact"
    """Or ``fast``."""
    allow_inexact: bool = False
    cache: Path | None = None
    """For what was measured on this machine; ``None``: ``~/.cache/vidinfer``."""
    mode: str = "auto"
    max_batch_size: int | None = None
    """``None``: automatic."""
    max_queue_delay: float | None = None
    """Milliseconds; ``None``: automatic."""
    latency_slo: float | None = None
    """Milliseconds."""
    policy: str = "latency"
    """Of live batches: ``latency``, ``throughput`` or ``fixed``."""
    transport: str = "tcp"
    """Of RTSP: ``tcp`` or ``udp``."""
    loop: bool = False
    """Files that are played live begin anew at their end."""
    rotate_every: float = 3600
    """Seconds after which a live label file is ended and a new one begun."""
    rotate_size: float = 256
    """MiB, likewise."""
    segment: float = 60
    """Seconds of a file of live overlaid video."""
    preview: tuple[str, int] | None = None
    """Host and port of the page."""
    preview_token: str | None = None
    every: int = 1
    fps: Fraction | None = None
    keyframes: bool = False
    skip_static: float | None = None
    """Grey levels by which a spot may differ in a frame that gets the labels of one before; ``None``: none does."""
    start: Fraction | None = None
    """Seconds."""
    end: Fraction | None = None
    """Seconds."""
    clip_stride: Fraction | None = None
    """Seconds; ``None``: a clip's length."""
    max_frames: int | None = None
    duration: Fraction | None = None
    """Seconds."""
    labels: tuple[str, ...] = ("jsonl",)
    """``jsonl``, ``csv``, ``parquet`` for files; ``-`` for JSON lines on standard output; empty for none."""
    class_maps: bool = False
    flow_files: Literal["flo", "png"] | None = None
    video: bool = False
    out: Path = Path("vidinfer-out")
    overwrite: bool = False
    resume: bool = False
    engine: str = "auto"
    """Of archives: ``local``, ``ray``, or ``none``: one file after the other, in this process; ``auto``: see
    ``archive``."""
    address: str | None = None
    """Of a Ray cluster; ``None``: one of this machine, for this run."""
    workers: int | None = None
    """``None``: automatic."""
    until: tuple[int, int] | None = None
    """Hour and minute of the local day."""
    budget: Fraction | None = None
    """Seconds."""
    unit_frames: int = 2000
    fingerprint: Literal["auto", "full"] = "auto"
    retry_quarantined: bool = False
    stall: float = 120
    """Seconds."""
    worker_memory: float | None = None
    """MiB; ``None``: no limit."""
    price_per_hour: float | None = None
    """Of this machine, in any currency; ``None``: not told."""
    quiet: bool = False
    verbose: bool = False
    no_progress: bool = False
    log_json: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.sources, str) or not all(
            isinstance(s, (str, Path)) and str(s) for s in self.sources
        ):
            raise UsageError(f"sources {self.sources!r}: expected a list of paths or addresses")
        object.__setattr__(self, "sources", tuple(map(str, self.sources)))
        for name, option in OPTIONS.items():
            object.__setattr__(self, name, option.read(getattr(self, name)))
        self._check_combinations()

    @property
    def label_files(self) -> tuple[str, ...]:
        """Formats of the label files."""
        return tuple(name for name in self.labels if name != "-")

    @property
    def labels_to_stdout(self) -> bool:
        """JSON lines go to standard output as they are made."""
        return "-" in self.labels

    @property
    def live(self) -> bool:
        """Frames are labelled as they come, and late ones dropped."""
        return self.mode == "live" or (self.mode == "auto" and any(map(is_live, self.sources)))

    @property
    def archive(self) -> bool:
        """Several processes label; with ``auto``: folders, patterns and lists, where only label files are written."""
        if self.engine != "auto":
            return self.engine != "none"
        many = any(is_many(source) for source in self.sources)
        return many and not self.live and self._writes_label_files_only

    @property
    def _writes_label_files_only(self) -> bool:
        pictures = (self.video, self.class_maps, self.flow_files is not None)
        return bool(self.label_files) and not (any(pictures) or self.labels_to_stdout)

    def require_offline(self) -> None:
        """Refuse what only live streams have, and limits of time that nothing would keep.

        Raises:
            UsageError: names it.
        """
        streams = [source for source in self.sources if is_live(source)]
        if self.mode == "live" or streams:
            what = f"source {shown(streams[0])}" if streams else "mode live"
            raise UsageError(f"{what}: this is for files; streams are labelled by `vidinfer SOURCE...`")
        for name in _LIVE_ONLY:
            if getattr(self, name) != _DEFAULTS[name]:
                flag = name.replace("_", "-")
                raise UsageError(f"{flag}: for live streams only; leave it out, or give --mode live")
        for name in () if self.archive else ("until", "budget"):
            if getattr(self, name) is not None:
                with_video = ", without --video" if self.video else ""
                raise UsageError(
                    f"{name}: of archive runs, and this one labels in one process; give --engine local with it"
                    f"{with_video}, or leave it out"
                )

    def require_archive(self) -> None:
        """Refuse what the runs over archives do not have.

        Raises:
            UsageError: names it.
        """
        self.require_offline()
        if self.engine == "ray" and self.device.startswith("cuda:"):
            raise UsageError(
                f"device {self.device}: Ray hands out the GPUs of a node by itself; give --device cuda"
            )
        if self.engine != "ray" and self.address is not None:
            raise UsageError(f"address {self.address}: of a Ray cluster; give --engine ray with it")
        if self.video and replace(self, video=False)._writes_label_files_only:
            out = shlex.quote(str(self.out))
            raise UsageError(
                f"engine {self.engine} with --video: archive runs write label files only; leave out --video and draw "
                f"afterwards, with `vidinfer render {out} --out {out} --resume`, or give --engine none"
            )
        if not self._writes_label_files_only:
            raise UsageError(
                f"engine {self.engine}: writes label files only; leave out --video, --class-maps, --flow-files and "
                f"--labels -, or give --engine none"
            )

    def require_live(self) -> None:
        """Refuse what live streams do not have.

        Raises:
            UsageError: names it.
        """
        files = [source for source in self.sources if not is_live(source)]
        if self.mode == "auto" and files:
            raise UsageError(
                f"source {files[0]}: a file among streams; give --mode live to play it at its own pace, "
                "or label it by itself"
            )
        for name in _OFFLINE_ONLY:
            if getattr(self, name) != _DEFAULTS[name]:
                flag = name.replace("_", "-")
                raise UsageError(f"{flag}: for files that are not played live; leave it out")
        if set(self.label_files) - {"jsonl"}:
            raise UsageError(
                f"labels {','.join(self.labels)}: live labels are JSON lines; give jsonl, - or none"
            )

    def _check_combinations(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(
                f"start {float(self.start):g} s is not before end {float(self.end):g} s: no frame is left; "
                f"give an earlier start or a later end"
            )
        for one, other in (("overwrite", "resume"), ("quiet", "verbose")):
            if getattr(self, one) and getattr(self, other):
                raise UsageError(f"{one} and {other} contradict each other; give one of them")
        if self.clip_stride is not None and self.clip_stride == 0:
            raise UsageError("clip-stride 0: expected more than 0 seconds, or auto")
        if not (self.labels or self.video or self.class_maps or self.flow_files):
            raise UsageError(
                "labels none without video: there is nothing to write; give --video or a label format"
            )


_DEFAULTS = {name: field.default for name, field in RunConfig.__dataclass_fields__.items()}
_LIVE_ONLY = (
    *("latency_slo", "max_queue_delay", "policy", "transport", "loop"),
    *("rotate_every", "rotate_size", "segment", "preview", "preview_token"),
)
_ARCHIVE_ONLY = (
    *("address", "workers", "until", "budget", "unit_frames", "fingerprint", "retry_quarantined"),
    *("stall", "worker_memory", "price_per_hour"),
)
_OFFLINE_ONLY = (
    *("engine", *_ARCHIVE_ONLY),
    *("start", "end", "overwrite", "resume", "class_maps", "flow_files", "skip_static"),
)
