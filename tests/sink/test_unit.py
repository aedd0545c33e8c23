"""Units of an archive: what was written comes back to the bit, and damage is noticed."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.sink.cases import (
    CLASSIFIER,
    CLIPPER,
    DETECTOR,
    FLOWER,
    FORMATS,
    MASKED,
    POSED,
    SEGMENTER,
    SOURCE,
    classes,
    clips,
    flow,
    masked,
    mixed_batches,
    objects,
    posed,
    segments,
    stamp,
    windowed_batches,
    write,
)
from vidinfer.frame import Gap
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink import label_sink, unit_sink
from vidinfer.sink.findings import layout_of
from vidinfer.sink.labels import LabelFileSink
from vidinfer.sink.seal import SEAL
from vidinfer.sink.unit_read import DamagedUnit, read_receipt, read_unit
from vidinfer.sink.unit_scan import Loss, scan_losses
from vidinfer.stages import ModelInfo

CASES = {
    "objects": (DETECTOR, [*mixed_batches(objects([2, 0, 3])), *mixed_batches(objects([0, 0]), first=20)]),
    "masks": (MASKED, mixed_batches(masked([2, 0, 3]))),
    "keypoints": (POSED, mixed_batches(posed([2, 0, 3]))),
    "classes": (CLASSIFIER, mixed_batches(classes(3, 2))),
    "segments": (SEGMENTER, mixed_batches(segments(3))),
    "clip": (CLIPPER, windowed_batches(clips(3, 2))),
    "flow": (FLOWER, windowed_batches(flow(3))),
}
RECEIPT = {"unit": "ab12", "frames": {"decoded": 5}}


def write_unit(path: Path, batches: list[LabelledBatch], model: ModelInfo) -> Path:
    sink = unit_sink(path, lambda: RECEIPT)
    sink.open(SOURCE, model)
    for batch in batches:
        sink.write(batch)
    sink.close()
    return path


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_label_files_made_of_a_unit_are_those_of_a_run(case: str, form: str, tmp_path: Path) -> None:
    model, batches = CASES[case]
    direct = write(form, tmp_path / "direct", batches, model)
    unit = write_unit(tmp_path / "a.parquet", batches, model)
    sink = label_sink(form, tmp_path / "made")
    assert isinstance(sink, LabelFileSink)
    sink.open(SOURCE, model)
    for batch, found in read_unit(unit, layout_of(SOURCE, model), model.categories):
        sink.write_found(batch, found)
    sink.close()
    if form == "parquet":  # its dictionaries depend on how rows were bundled
        made, expected = pq.read_table(tmp_path / "made"), pq.read_table(direct)
        assert made.schema.equals(expected.schema, check_metadata=True)
        assert made.equals(expected)
    else:
        assert (tmp_path / "made").read_bytes() == direct.read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_entries_come_back(case: str, tmp_path: Path) -> None:
    model, batches = CASES[case]
    unit = write_unit(tmp_path / "a.parquet", batches, model)
    found = [
        (entry.outcome, entry.at, entry.row >= 0, entry.reason, entry.span)
        for batch, _ in read_unit(unit, layout_of(SOURCE, model), model.categories)
        for entry in batch.entries
    ]
    assert found == [(e.outcome, e.at, e.row >= 0, e.reason, e.span) for b in batches for e in b.entries]


def test_the_receipt_is_inside(tmp_path: Path) -> None:
    model, batches = CASES["objects"]
    unit = write_unit(tmp_path / "ab12.parquet", batches, model)
    assert read_receipt(unit) == RECEIPT
    assert read_receipt(tmp_path / "none.parquet") is None


def test_a_unit_under_the_name_of_another_is_noticed(tmp_path: Path) -> None:
    """As when somebody restores a state folder with names mixed up: it is whole, but of another stretch."""
    model, batches = CASES["objects"]
    unit = write_unit(tmp_path / "cd34.parquet", batches, model)
    with pytest.raises(DamagedUnit, match=r"cd34\.parquet: not this unit, but ab12$"):
        read_receipt(unit)


def test_equal_rows_make_equal_files(tmp_path: Path) -> None:
    model, batches = CASES["masks"]
    one, other = (write_unit(tmp_path / f"{i}.parquet", batches, model).read_bytes() for i in range(2))
    assert one == other


def test_a_unit_that_was_cut_off_anywhere_is_noticed(tmp_path: Path) -> None:
    model, batches = CASES["objects"]
    whole = write_unit(tmp_path / "a.parquet", batches, model).read_bytes()
    cut = tmp_path / "cut.parquet"
    for size in range(0, len(whole), 101):
        cut.write_bytes(whole[:size])
        with pytest.raises(DamagedUnit, match=r"^[^(]*: not a whole unit \(it ends in the midst\)$"):
            read_receipt(cut)


@pytest.mark.parametrize("case", ["objects", "masks"])
def test_no_bit_of_a_unit_changes_unnoticed(tmp_path: Path, case: str) -> None:
    """The footer at the first look, in which only the receipt is read; everything when the rows are."""
    model, batches = CASES[case]
    unit = write_unit(tmp_path / "ab12.parquet", batches, model)
    whole = unit.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    assert b"vidinfer.receipt" in whole[footer:]
    seal = whole.rindex(SEAL.encode()) + len(SEAL) + 2
    of_rows = range(seal, seal + 32)  # their digest, of no matter to the receipt
    for at in range(len(whole)):
        with unit.open("r+b") as file:
            file.seek(at)
            file.write(bytes([whole[at] ^ (1 << at % 8)]))
            file.flush()
            with pytest.raises(DamagedUnit):
                next(read_unit(unit, layout_of(SOURCE, model), model.categories))
            if at >= footer and at not in of_rows:
                with pytest.raises(DamagedUnit):
                    read_receipt(unit)
            file.seek(at)
            file.write(whole[at : at + 1])
    assert read_receipt(unit) == RECEIPT


def test_a_unit_that_was_changed_inside_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    model, batches = CASES["objects"]
    unit = write_unit(tmp_path / "a.parquet", batches, model)
    data = bytearray(unit.read_bytes())
    data[data.index(b"\x28\xb5\x2f\xfd") + 9] ^= 0xFF  # within the first compressed page
    unit.write_bytes(data)
    with pytest.raises(DamagedUnit):
        list(read_unit(unit, layout_of(SOURCE, model), model.categories))


def test_a_file_of_something_else_is_no_unit(tmp_path: Path) -> None:
    labels = write("parquet", tmp_path / "labels.parquet", CASES["objects"][1])
    with pytest.raises(DamagedUnit, match="without a receipt"):
        read_receipt(labels)
    with pytest.raises(DamagedUnit, match="without a receipt"):
        list(read_unit(labels, layout_of(SOURCE, DETECTOR), DETECTOR.categories))


def test_a_unit_of_another_layout_is_none_of_this_model(tmp_path: Path) -> None:
    model, batches = CASES["masks"]
    unit = write_unit(tmp_path / "a.parquet", batches, model)
    with pytest.raises(DamagedUnit, match="columns"):
        list(read_unit(unit, layout_of(SOURCE, DETECTOR), DETECTOR.categories))


def test_losses_are_gaps_and_stretches_of_frames_that_are_lost_alike(tmp_path: Path) -> None:
    def lost(outcome: Outcome, frame: int, why: str) -> Entry:
        return Entry(outcome, stamp(frame, 512 * frame), reason=why)

    gap = Gap(700, 900, SOURCE.time_base, 3, "lost packets")
    entries = [
        lost(Outcome.CORRUPT, 0, "damaged data"),
        lost(Outcome.CORRUPT, 1, "damaged data"),
        Entry(Outcome.GAP, gap, reason=gap.reason),
        Entry(Outcome.GAP, gap, reason=gap.reason),
        lost(Outcome.CORRUPT, 2, "damaged data"),
        lost(Outcome.FAILED, 3, "RuntimeError: no"),
        lost(Outcome.FAILED, 4, "RuntimeError: no"),
        lost(Outcome.FAILED, 5, "RuntimeError: never"),
    ]
    batches = [LabelledBatch(entries[:1], objects([])), LabelledBatch(entries[1:], objects([]))]
    unit = write_unit(tmp_path / "a.parquet", batches, DETECTOR)
    told = [
        Loss(0, 512, 0, "corrupt: damaged data"),
        Loss(700, 900, 3, "lost packets"),
        Loss(700, 900, 3, "lost packets"),
        Loss(1024, 1024, 0, "corrupt: damaged data"),
        Loss(1536, 2048, 0, "the model failed: RuntimeError: no"),
        Loss(2560, 2560, 0, "the model failed: RuntimeError: never"),
    ]
    assert scan_losses(unit, 10) == told
    assert scan_losses(unit, 5) == told[:5]
    assert scan_losses(unit, 1) == told[:1]
