"""The overlaid video from labels and the video they were made from, without a model.

What is drawn is what ``--video`` draws in the run: the records become results again, each is put to its frame, and the
same annotator and the same sink do the rest. Each record has its frame by its number and its exact ``pts``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from vidinfer.build import video_sink
from vidinfer.errors import LabelError, SinkError, SourceError, UsageError, VidinferError
from vidinfer.export.blocks import LabelRecord
from vidinfer.export.find import FoundLabels
from vidinfer.export.job import open_all, refuse_existing
from vidinfer.export.labels import LabelFile
from vidinfer.export.original import check_same, find_original
from vidinfer.export.restore import restored
from vidinfer.frame import Frame, Gap
from vidinfer.outputs import check_writable
from vidinfer.plan import ThreadPlan, thread_plan
from vidinfer.record import LabelledBatch
from vidinfer.source import open_source
from vidinfer.stages import Sink, Source

__all__ = ["Rendered", "render_labels"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """One video, complete and under its final name."""

    output: Path
    frames: int
    warnings: tuple[str, ...]


def render_labels(
    specs: Sequence[str],
    out: Path,
    *,
    source: Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    done: Callable[[Rendered], None],
    failed: Callable[[VidinferError], None],
) -> int:
    """Draw the labels of files, and of those in folders, on the videos that they were made from.

    Args:
        specs: label files and folders of them.
        out: the folder for the videos; folders of the labels are mirrored in it.
        source: the video, or a folder that the videos are in; ``None``: where the run found them.
        overwrite: replace videos that are there already.
        resume: keep videos that are newer than their labels, and replace the others.
        done: called after each video.
        failed: called for each label file that cannot be rendered; the others go on.

    Returns:
        How many videos were kept.

    Raises:
        UsageError: labels that cannot be drawn, or outputs that exist; nothing is written then.
        LabelError: there is nothing to render.
        SinkError: the output folder cannot be written.
    """
    opened = open_all(specs, failed)
    _require(opened, source)
    work = [(labels, out / f"{found.name}.annotated.mp4") for found, labels in opened]
    count = len(work)
    if resume:
        work = [(labels, output) for labels, output in work if not _is_newer(output, labels.path)]
    elif not overwrite:
        refuse_existing([output for _, output in work])
    check_writable(out)
    plan = thread_plan()
    for labels, output in work:
        try:
            original = find_original(labels, source)
            rendered = _render(labels, original, output, plan, overwrite=overwrite or resume)
        except (LabelError, SourceError, SinkError) as error:
            failed(error)
            continue
        done(rendered)
    return count - len(work)


def _is_newer(output: Path, labels: Path) -> bool:
    """``output`` is there, and was finished after ``labels`` were: it has its name once it is complete only."""
    try:
        return output.stat().st_mtime_ns > labels.stat().st_mtime_ns
    except OSError:
        return False


def _require(opened: Sequence[tuple[FoundLabels, LabelFile]], source: Path | None) -> None:
    if source is not None and not source.exists():
        raise UsageError(f"--source {source}: no such file or folder; check the name")
    if source is not None and source.is_file() and len(opened) > 1:
        raise UsageError(
            f"--source {source}: one video for {len(opened)} label files; give a folder, or one of them"
        )
    for _, labels in opened:
        if labels.facts.live:
            raise UsageError(
                f"{labels.path}: labels of a live stream, whose pictures nobody kept; record it, label the file"
            )
        if labels.layout.kind == "flow":
            raise UsageError(
                f"{labels.path}: of optical flow records hold sums only, nothing to draw; label with --video"
            )


def _render(labels: LabelFile, path: Path, output: Path, plan: ThreadPlan, *, overwrite: bool) -> Rendered:
    name, fast = labels.source.name, labels.facts.fast_decoding
    with closing(open_source(path, name=name, threads=plan.decoder, fast=fast)) as source:
        check_same(labels, path, source.info)
        sink = video_sink(output, plan, overwrite=overwrite)
        try:
            sink.open(source.info, replace(labels.model, device="cpu"))
            for batch in _drawable(labels, source, path):
                sink.write(batch)
            sink.close()
        except BaseException:
            sink.abort()
            raise
    return _told(sink, output)


def _drawable(labels: LabelFile, source: Source, path: Path) -> Iterator[LabelledBatch]:
    """Each record as a batch of its own, with the picture of its frame."""
    frames = (item for item in source if isinstance(item, Frame))
    for record in labels.records():
        entry, results = record.entry, restored(record, labels)
        if not isinstance(entry.at, Gap):
            frame = _frame_of(record, frames, labels, path)
            entry = replace(entry, at=frame.stamp, picture=frame.picture, row=0 if results.frames else -1)
        yield LabelledBatch([entry], results)


def _frame_of(record: LabelRecord, frames: Iterator[Frame], labels: LabelFile, path: Path) -> Frame:
    """The frame that a record is of: frames that have no record, because nobody asked for them, are passed over.

    Raises:
        LabelError: the video has none, or it is shown at another time.
    """
    wanted = record.stamp
    assert wanted is not None
    frame = next((one for one in frames if one.stamp.index >= wanted.index), None)
    if frame is None:
        raise LabelError(
            f"{labels.path}: {path} ends before frame {wanted.index} of the labels: it is another video"
        )
    got = frame.stamp
    if (got.index, got.pts, got.time_base) != (wanted.index, wanted.pts, wanted.time_base):
        raise LabelError(
            f"{labels.path}: frame {wanted.index} was labelled at pts {wanted.pts} x {wanted.time_base}, and in {path} "
            f"it is at {got.pts} x {got.time_base}: it is another video, or was changed"
        )
    return frame


def _told(sink: Sink, output: Path) -> Rendered:
    facts = sink.facts()
    frames, warnings = facts.get("frames"), facts.get("warnings")
    return Rendered(
        output,
        frames if isinstance(frames, int) else 0,
        tuple(map(str, warnings)) if isinstance(warnings, list) else (),
    )
