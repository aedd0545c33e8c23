"""The same content, the same fingerprint; anything else, another one."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media import make_video
from tests.source.test_images import draw
from vidinfer.archive import fingerprint as module
from vidinfer.archive.fingerprint import SMALL, Fingerprint, FingerprintMode, fingerprint
from vidinfer.errors import Interrupted, SourceError

MODES: tuple[FingerprintMode, ...] = ("full", "fast")


def big_mp4(path: Path, *, mdat: int = 12 * 2**20) -> Path:
    """The boxes of an MP4 with its index at the end, as cameras write it: ``ftyp``, ``mdat``, ``moov``."""
    small = make_video(path.with_suffix(".small.mp4"), frames=8)
    data = small.read_bytes()
    small.unlink()
    at = data.index(b"moov") - 4
    index = data[at : at + int.from_bytes(data[at : at + 4])]
    media = random.Random(5).randbytes(mdat - 8)
    path.write_bytes(data[:32] + mdat.to_bytes(4) + b"mdat" + media + index + b"\0\0\0\x08free")
    return path


def patch(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("mode", MODES)
def test_neither_name_nor_place_nor_time_matters(tmp_path: Path, mode: FingerprintMode) -> None:
    one = big_mp4(tmp_path / "a.mp4")
    (tmp_path / "sub").mkdir()
    two = tmp_path / "sub" / "b.mov"
    two.write_bytes(one.read_bytes())
    os.utime(two, (1, 1))
    assert fingerprint(one, mode) == fingerprint(str(two), mode)


def test_full_is_what_b2sum_says(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"abc" * 1000)
    found = fingerprint(path, "full")
    assert str(found) == "b2-full:" + hashlib.blake2b(b"abc" * 1000, digest_size=32).hexdigest()
    assert found.size == 3000


def test_auto_reads_small_files_wholly_and_says_which_mode_it_was(tmp_path: Path) -> None:
    small, large = tmp_path / "s", tmp_path / "l"
    small.write_bytes(b"x" * SMALL)
    large.write_bytes(b"x" * (SMALL + 1))
    assert fingerprint(small).mode == "full"
    assert fingerprint(large).mode == "fast"


def test_fast_notices_header_index_middle_end_and_length(tmp_path: Path) -> None:
    path = big_mp4(tmp_path / "a.mp4")
    size = path.stat().st_size
    seen = {fingerprint(path, "fast")}
    spots = (0, 40, module._EDGE + 5, size - module._EDGE - 9, size - 1, size - 300)
    for number, at in enumerate(spots, 2):
        patch(path, at)
        seen.add(fingerprint(path, "fast"))
        assert len(seen) == number, at
    with path.open("ab") as file:
        file.write(b"\0")
    assert fingerprint(path, "fast") not in seen


def test_fast_reads_an_index_wherever_it_lies(tmp_path: Path) -> None:
    path = big_mp4(tmp_path / "a.mp4")
    data = path.read_bytes()
    at = data.index(b"moov") - 4
    index = data[at:-8]
    # In the midst of two long boxes, far from both ends and from most pieces.
    half = 6 * 2**20 + 4321
    path.write_bytes(
        data[:32]
        + half.to_bytes(4)
        + b"mdat"
        + bytes(half - 8)
        + index
        + half.to_bytes(4)
        + b"mdat"
        + bytes(half - 8)
    )
    before = fingerprint(path, "fast")
    patch(path, 32 + half + len(index) // 2)
    assert fingerprint(path, "fast") != before


@settings(max_examples=40)
@given(st.integers(0, 3 * 2**20), st.integers(0, 40))
def test_spans_stay_inside_and_cover_both_ends(size: int, pieces: int) -> None:
    spans = module._edges_and_pieces(size, pieces)
    assert all(start >= 0 and length >= 0 and start + length <= size for start, length in spans)
    assert min(start for start, _ in spans) == 0
    assert max(start + length for start, length in spans) == size


def test_a_file_that_changes_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"x" * 100)

    def touched() -> bool:
        with path.open("ab") as file:
            file.write(b"y")
        return False

    with pytest.raises(SourceError, match="changed while it was read"):
        fingerprint(path, "full", stopped=touched)


def test_a_file_that_is_replaced_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"x" * 100)

    def replaced() -> bool:
        (tmp_path / "two").write_bytes(b"z" * 100)
        (tmp_path / "two").replace(path)
        return False

    with pytest.raises(SourceError, match="changed while it was read"):
        fingerprint(path, "full", stopped=replaced)


@pytest.mark.parametrize("mode", MODES)
def test_it_can_be_stopped(tmp_path: Path, mode: FingerprintMode) -> None:
    with pytest.raises(Interrupted):
        fingerprint(big_mp4(tmp_path / "a.mp4"), mode, stopped=lambda: True)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        fingerprint(tmp_path / "gone.mp4")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert fingerprint(tmp_path / "empty", "fast").size == 0


def test_a_folder_of_images(tmp_path: Path) -> None:
    folder = draw(tmp_path / "seq", ("1.png", 1), ("2.png", 2))
    other = draw(tmp_path / "other", ("1.png", 1), ("2.png", 2))
    before = fingerprint(folder)
    assert before == fingerprint(other)
    assert str(before).startswith("b2-images:")
    draw(folder, ("3.png", 3))
    assert fingerprint(folder) != before


def test_an_object_in_a_store() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    try:
        memory.pipe("/b/a.mp4", bytes(3 * 2**20))
        first = fingerprint("memory://b/a.mp4")
        assert first.mode == "object"
        assert first == fingerprint("memory://b/a.mp4")
        whole = fingerprint("memory://b/a.mp4", "full")
        assert whole == Fingerprint(
            "full", hashlib.blake2b(bytes(3 * 2**20), digest_size=32).hexdigest(), 3 * 2**20
        )
        memory.pipe("/b/a.mp4", b"\1" + bytes(3 * 2**20 - 1))
        assert fingerprint("memory://b/a.mp4") != first
    finally:
        memory.store.clear()
