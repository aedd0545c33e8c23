"""The formats that labels can be exported to: what each can hold, and what its outputs are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from vidinfer.errors import UsageError
from vidinfer.export.coco import write_coco
from vidinfer.export.cvat import write_cvat
from vidinfer.export.flat import write_csv
from vidinfer.export.labels import LabelFile
from vidinfer.export.labelstudio import write_label_studio
from vidinfer.export.mot import write_mot
from vidinfer.export.tally import Tally
from vidinfer.export.webvtt import write_webvtt
from vidinfer.export.yolo import write_yolo
from vidinfer.sink.atomic import PartialFile
from vidinfer.sink.findings import Kind, Layout
from vidinfer.sink.folder import PartialFolder

__all__ = ["EXPORT_FORMATS", "ExportFormat", "export_format"]

WriteFile: TypeAlias = Callable[[LabelFile, str, PartialFile], Tally]
WriteFolder: TypeAlias = Callable[[LabelFile, str, PartialFolder], Tally]
"""Write labels, called by a name, to an output that is being made; closing it is the caller's."""

_TASKS: Mapping[Kind, str] = {
    "objects": "detection",
    "classes": "classification",
    "segments": "segmentation",
    "clip": "video classification",
    "flow": "optical flow",
}


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """One format. Either ``file`` or ``folder`` is set."""

    name: str
    suffix: str
    """Of the output's name."""
    kinds: tuple[Kind, ...]
    """Findings that it can hold."""
    file: WriteFile | None = None
    folder: WriteFolder | None = None
    masks: bool = True
    keypoints: bool = True
    """Whether it can hold these of objects; what it cannot is left out, and told."""
    scores: bool = True

    def path(self, out: Path, name: str) -> Path:
        """The output of the labels called ``name``."""
        return out / f"{name}{self.suffix}"

    def require(self, labels: LabelFile) -> None:
        """Refuse what it cannot hold.

        Raises:
            UsageError: names the formats that can.
        """
        kind = labels.layout.kind
        if kind not in self.kinds:
            others = ", ".join(name for name, one in EXPORT_FORMATS.items() if kind in one.kinds)
            raise UsageError(
                f"{labels.path}: --to {self.name} cannot hold the results of {_TASKS[kind]}; it is for "
                f"{', '.join(_TASKS[one] for one in self.kinds)}; for these labels there is --to {others}"
            )

    def leaves_out(self, layout: Layout) -> tuple[str, ...]:
        """What of such labels it has no place for."""
        parts = {
            "masks": layout.masks and not self.masks,
            "keypoints": layout.keypoints > 0 and not self.keypoints,
            "scores": not self.scores,
        }
        return tuple(name for name, missing in parts.items() if missing)


def export_format(name: str) -> ExportFormat:
    """The format called ``name``.

    Raises:
        UsageError: there is none.
    """
    if name not in EXPORT_FORMATS:
        raise UsageError(f"--to {name}: expected one of {', '.join(EXPORT_FORMATS)}")
    return EXPORT_FORMATS[name]


_BOXES: tuple[Kind, ...] = ("objects",)

EXPORT_FORMATS: Mapping[str, ExportFormat] = MappingProxyType(
    {
        one.name: one
        for one in (
            ExportFormat("coco", ".coco.json", ("objects", "segments"), file=write_coco),
            ExportFormat("yolo", ".yolo", _BOXES, folder=write_yolo, masks=False, scores=False),
            ExportFormat("mot", ".mot", _BOXES, folder=write_mot, masks=False, keypoints=False),
            ExportFormat("cvat", ".cvat.xml", ("objects", "segments"), file=write_cvat),
            ExportFormat(
                "labelstudio",
                ".labelstudio.json",
                ("objects", "classes"),
                file=write_label_studio,
                masks=False,
                keypoints=False,
            ),
            ExportFormat(
                "webvtt",
                ".vtt",
                ("objects", "classes", "clip"),
                file=write_webvtt,
                masks=False,
                keypoints=False,
            ),
            ExportFormat("csv", ".csv", ("objects", "classes", "segments", "clip", "flow"), file=write_csv),
        )
    }
)
"""By name."""
