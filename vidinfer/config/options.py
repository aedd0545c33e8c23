"""The table of options: the one place that knows their names, types, limits and words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from vidinfer.config import values
from vidinfer.config.values import Reader
from vidinfer.errors import UsageError

__all__ = ["GROUPS", "OPTIONS", "Group", "Option", "nearest"]

Group = Literal["model", "speed", "live", "selection", "output", "archive", "messages"]

GROUPS: dict[Group, str] = {
    "model": "what to run",
    "speed": "how to run it",
    "live": "live streams",
    "selection": "which frames",
    "output": "what to write",
    "archive": "archives",
    "messages": "what to say",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a run."""

    name: str
    """As an attribute of ``RunConfig``; flags and files write ``-`` for ``_``."""
    group: Group
    help: str
    reader: Reader
    metavar: str | None = None
    """``None`` for a switch."""
    default: str | None = None
    """As shown in the help."""
    short: str | None = None
    bare: str | None = None
    """What the flag alone stands for, where it may also have a value, written with ``=``."""

    @property
    def flag(self) -> str:
        """``--score-threshold``."""
        return "--" + self.name.replace("_", "-")

    def read(self, value: object, origin: str | None = None) -> Any:
        """The value in its Python type.

        Args:
            origin: how the user knows the option: a flag, or a file with its line.

        Raises:
            UsageError: what was given and what was expected.
        """
        try:
            return self.reader(value)
        except ValueError as error:
            given = value if isinstance(value, str) else repr(value)
            raise UsageError(f"{origin or self.name} {given or repr(given)}: expected {error}") from None


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` or nothing."""
    candidates = list(known)
    # Before what is merely alike: swapped letters (modle is model, not mode) and names cut short.
    close = [name for name in candidates if sorted(name) == sorted(word)]
    close += [name for name in candidates if name.startswith(word) and len(word.strip("-")) > 2]
    close += difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


_ONE_OR_MORE = values.integer(1)

_TABLE = (
    Option(
        "model", "model",
        "a torchvision builder name (see `vidinfer models`), demo: bundled, needs no download, "
        "package.module:factory, or FILE.pt2",
        values.text, "NAME", "ssdlite320_mobilenet_v3_large",
    ),
    Option(
        "weights", "model",
        "a torchvision weights name, a local file, or none (random, seeded: for testing)",
        values.text, "W", "DEFAULT",
    ),
    Option(
        "labels_file", "model", "class names, one per line, of a network trained further (with --weights FILE)",
        values.optional("none", values.path), "FILE", "none",
    ),
    Option(
        "task", "model", "what a model of your own is for; auto: found out",
        values.optional("auto", values.choice(
            "classification", "detection", "segmentation", "video", "optical_flow"
        )), "T", "auto",
    ),
    Option(
        "score_threshold", "model", "leave out detections that score below X",
        values.number(0, 1), "X", "0.5",
    ),
    Option("top_k", "model", "classes per frame, classification", _ONE_OR_MORE, "N", "5"),
    Option(
        "classes", "model", "report only these classes, by name",
        values.optional("all", values.names), "A,B", "all",
    ),
    Option("device", "speed", "auto, cpu, cuda or cuda:N", values.text, "D", "auto"),
    Option(
        "backend", "speed",
        "auto: the fastest that gives the same labels as eager; eager, openvino, compile, cudagraphs",
        values.text, "B", "auto",
    ),
    Option(
        "precision", "speed", "auto, fp32, bf16, fp16, mixed or int8",
        values.choice("auto", "fp32", "bf16", "fp16", "mixed", "int8"), "P", "auto",
    ),
    Option(
        "allow_inexact", "speed", "use --backend and --precision even where labels differ from eager fp32",
        values.flag,
    ),
    Option(
        "cache", "speed", "folder for what was measured on this machine; auto: ~/.cache/vidinfer",
        values.optional("auto", values.path), "DIR", "auto",
    ),
    Option(
        "decode", "speed", "exact; fast: no loop filter, scaled before it is converted, pixels differ a little; "
        "nvdec: exact, on the GPU, where the file can be",
        values.choice("exact", "fast", "nvdec"), "D", "exact",
    ),
    Option(
        "mode", "speed", "offline or live; auto: files offline, streams live",
        values.choice("auto", "offline", "live"), "M", "auto",
    ),
    Option(
        "max_batch_size", "speed", "most frames in one batch",
        values.optional("auto", _ONE_OR_MORE), "N", "auto",
    ),
    Option(
        "max_queue_delay", "live", "longest a frame waits for company, in milliseconds; auto: 10, and 0 for one stream",
        values.optional("auto", values.number(0)), "MS", "auto",
    ),
    Option(
        "latency_slo", "live", "budget from a frame's arrival to its label, in milliseconds",
        values.optional("none", values.number(0, above=True)), "MS", "none",
    ),
    Option(
        "policy", "live", "latency: close a batch when the model is free and nobody is about to come; throughput: "
        "as full as the budget allows; fixed: after max-queue-delay",
        values.choice("latency", "throughput", "fixed"), "P", "latency",
    ),
    Option(
        "transport", "live", "of RTSP: tcp, or udp where losses are better than waiting",
        values.choice("tcp", "udp"), "T", "tcp",
    ),
    Option("loop", "live", "files played live begin anew at their end", values.flag),
    Option(
        "rotate_every", "live", "begin a new label file after S seconds",
        values.number(1), "S", "3600",
    ),
    Option(
        "rotate_size", "live", "begin a new label file at N MiB",
        values.number(0, above=True), "N", "256",
    ),
    Option("segment", "live", "seconds of a file of overlaid video", values.number(1), "S", "60"),
    Option(
        "preview", "live", "serve a page with pictures and charts, metrics and health at HOST:PORT",
        values.optional("none", values.listen), "HOST:PORT", "none",
    ),
    Option(
        "preview_token", "live", "what the page asks for; needed where HOST is not this machine alone",
        values.optional("none", values.text), "TOKEN", "none",
    ),
    Option("every", "selection", "label each N-th frame", _ONE_OR_MORE, "N", "1"),
    Option(
        "fps", "selection", "label at most F frames a second of the video's own time",
        values.optional("none", values.fraction), "F", "all",
    ),
    Option("keyframes", "selection", "label keyframes only", values.flag),
    Option(
        "skip_static", "selection", "for cameras that stand still: a frame that looks like one before gets its labels; "
        "=LEVELS: as long as no spot differs by more grey levels, 12 unless given",
        values.switch_or_number(1, 255, usual=12), "LEVELS", "off", bare="on",
    ),
    Option(
        "start", "selection", "leave out what is before T: seconds or HH:MM:SS.mmm",
        values.optional("none", values.time), "T", "the beginning",
    ),
    Option(
        "end", "selection", "leave out what is at or after T",
        values.optional("none", values.time), "T", "the end",
    ),
    Option(
        "clip_stride", "selection", "video classification: seconds from clip to clip; auto: a clip's length",
        values.optional("auto", values.time), "T", "auto",
    ),
    Option(
        "max_frames", "selection", "stop after N labelled frames",
        values.optional("none", _ONE_OR_MORE), "N", "none",
    ),
    Option(
        "duration", "selection", "stop after so long a stretch of each video",
        values.optional("none", values.time), "T", "none",
    ),
    Option(
        "labels", "output", "label files: jsonl, csv, parquet, several with commas; - for JSON lines on "
        "standard output; none",
        values.formats(("jsonl", "csv", "parquet")), "F,F", "jsonl",
    ),
    Option(
        "class_maps", "output", "segmentation: also write each frame's class map as an indexed PNG", values.flag,
    ),
    Option(
        "flow_files", "output", "optical flow: also write each field, as .flo or as 16-bit .png",
        values.optional("none", values.choice("flo", "png")), "F", "none",
    ),
    Option("video", "output", "also write the overlaid video", values.flag),
    Option("out", "output", "folder for the outputs", values.folder, "DIR", "vidinfer-out"),
    Option("overwrite", "output", "replace outputs that exist", values.flag),
    Option("resume", "output", "skip sources whose outputs are complete", values.flag),
    Option(
        "engine", "archive", "local: worker processes, restartable at any instant; ray: the same on a Ray cluster; "
        "none: this process, one by one; auto: local for folders, globs and lists of which label files are written",
        values.choice("auto", "none", "local", "ray"), "E", "auto",
    ),
    Option(
        "address", "archive", "Ray cluster: auto, HOST:PORT or ray://HOST:PORT; none: this machine, for this run only",
        values.optional("none", values.text), "A", "none",
    ),
    Option(
        "workers", "archive", "worker processes; auto: one for each core",
        values.optional("auto", _ONE_OR_MORE), "N", "auto",
    ),
    Option(
        "until", "archive", "begin with nothing more at this time of day",
        values.optional("none", values.clock_time), "HH:MM", "none",
    ),
    Option(
        "budget", "archive", "begin with nothing more after so long: 90s, 15m, 6h",
        values.optional("none", values.span), "T", "none",
    ),
    Option(
        "unit_frames", "archive", "frames of a file that are decoded in one go and kept if the run is killed",
        values.integer(1), "N", "2000",
    ),
    Option(
        "fingerprint", "archive", "how much of a file is read to know it again: auto (large ones in pieces), full",
        values.choice("auto", "full"), "MODE", "auto",
    ),
    Option("retry_quarantined", "archive", "try again what was given up in an earlier run", values.flag),
    Option(
        "stall", "archive", "seconds without a further frame after which a worker process is ended",
        values.number(1), "S", "120",
    ),
    Option(
        "worker_memory", "archive", "MiB of memory beyond which a worker process is ended",
        values.optional("none", values.number(64)), "MIB", "none",
    ),
    Option(
        "price_per_hour", "archive", "what an hour of this machine costs; the report then tells that of the video",
        values.optional("none", values.number(0)), "X", "none",
    ),
    Option("quiet", "messages", "say nothing but errors", values.flag, short="-q"),
    Option("verbose", "messages", "say more; a traceback with errors", values.flag, short="-v"),
    Option("no_progress", "messages", "no progress line, even on a terminal", values.flag),
    Option("log_json", "messages", "events as JSON lines on standard error", values.flag),
)  # fmt: skip

OPTIONS: dict[str, Option] = {option.name: option for option in _TABLE}
"""By name, in the order of the help."""
