"""Cameras of this machine, read by the real program from a device that the C library shows to it alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.programs import GENEROUS, LONG, Program, ended, grown, program, valid, wait_for
from tests.live.reading_network import number_of
from tests.live.v4l2_cameras import Device, build_device, draw_pictures
from tests.live.whole_runs import labelled, records

NAME = "camera-7"
OPTIONS = ("camera:7", "--model", "tests.live.reading_network:reading", "--backend", "eager", "--out")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("v4l2")
    draw_pictures(folder)
    build_device(folder)
    return folder


@pytest.fixture
def device(made: Path, tmp_path: Path) -> Device:
    """Not plugged in yet."""
    folder = tmp_path / "devices"
    folder.mkdir()
    for pictures in made.glob("pictures.*"):
        shutil.copy(pictures, folder)
    return Device(made / "v4l2_device.so", folder)


def read(device: Device, count: int = 20, address: str = "camera:7", **words: object) -> list[dict[str, Any]]:
    """What a process has read of a camera like that."""
    if words:
        device.plugged_in(**words)
    command = [sys.executable, "-m", "tests.live.v4l2_reading", address, str(count)]
    done = subprocess.run(
        command, env=os.environ | device.variables, check=True, capture_output=True, text=True, timeout=LONG
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def labels_are_right(device: Device, out: Path) -> list[dict[str, Any]]:
    """Every label tells what is drawn into the picture that has its time; all records."""
    lines = records(out, NAME)
    drawn = {taken.stamp: taken for taken in device.taken}
    shown = labelled(lines)
    assert [number_of(one) for one in shown] == [drawn[one["pts"]].number for one in shown]
    for one in shown:
        assert one["time_source"] == "device"
        assert one["captured"] == pytest.approx(drawn[one["pts"]].unix, abs=0.5)
    for epoch in {one["epoch"] for one in shown}:
        # Within a connection, the stamps are moved to the wall clock by one and the same difference.
        moved = [one["captured"] - one["pts"] / 1e6 for one in shown if one["epoch"] == epoch]
        assert max(moved) - min(moved) < 5e-6
    return lines


@pytest.mark.parametrize("letters", ["YUYV", "MJPG"])
def test_every_label_is_of_its_picture(letters: str, device: Device, tmp_path: Path) -> None:
    device.plugged_in(formats="YUYV,MJPG", current=letters, rate=30)
    out = tmp_path / "out"
    with program(*OPTIONS, str(out), "--max-frames", "60", variables=device.variables) as running:
        assert running.process.wait(LONG) == 0, running.said
    lines = labels_are_right(device, out)
    report = json.loads((out / f"{NAME}.run.json").read_text())
    frames, source = report["frames"], report["source"]
    assert frames["decoded"] == 60 == frames["labelled"] + sum(frames["dropped"].values())
    assert len(labelled(lines)) == frames["labelled"] > 0
    assert [one["frame"] for one in lines if one["outcome"] != "gap"] == list(range(60))
    assert (source["connections"], source["size"]) == (1, [160, 120])
    assert source["details"]["pixel_format"] == letters
    assert device.asked == ["open", "buffers 8", f"on {letters}", "off", "close"], "it is left as it was set"


def test_a_camera_that_is_pulled_and_plugged_in_again(device: Device, tmp_path: Path) -> None:
    device.plugged_in()
    out = tmp_path / "out"
    with program(*OPTIONS, str(out), "--video", variables=device.variables) as running:
        wait_for(lambda: grown(out, NAME, 12), running)
        device.unplugged()
        running.until("lost: .*(unplugged|no camera)")  # the next attempt may have failed before it is told
        device.plugged_in(formats="MJPG")
        running.until(r"live \(epoch 2, 160x120 mjpeg\)")
        more_labels(running, out, epoch=2)
        took = ended(running, signal.SIGTERM)
    assert took < GENEROUS
    valid(out, NAME)
    lines = labels_are_right(device, out)
    assert {one["epoch"] for one in labelled(lines)} == {1, 2}
    numbers = [number_of(one) for one in labelled(lines)]
    assert numbers == sorted(set(numbers)), "none twice, none out of order"


def test_a_camera_that_hangs_is_noticed_and_asked_again(device: Device, tmp_path: Path) -> None:
    device.plugged_in()
    out = tmp_path / "out"
    with program(*OPTIONS, str(out), "--video", variables=device.variables) as running:
        wait_for(lambda: grown(out, NAME, 12), running)
        device.plugged_in(state="stalled")
        running.until(r"lost: .*stalled: nothing came for \d")
        wait_for(lambda: device.asked.count("on YUYV") >= 2, running)
        device.plugged_in()
        running.until(r"live \(epoch 2, 160x120 rawvideo\)")
        more_labels(running, out, epoch=2)
        device.plugged_in(state="stalled")
        took = ended(running, signal.SIGINT)
    assert took < GENEROUS
    valid(out, NAME)
    labels_are_right(device, out)
    assert device.asked[-1] == "close"


def test_a_camera_that_shows_nothing_from_the_beginning_holds_up_no_stop(
    device: Device, tmp_path: Path
) -> None:
    device.plugged_in(state="stalled")
    with program(*OPTIONS, str(tmp_path / "out"), variables=device.variables) as running:
        wait_for(lambda: "on YUYV" in device.asked, running)
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(GENEROUS)
    assert device.asked[-2:] == ["off", "close"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"state": "busy"}, "/dev/video7 is in use by another program; end it"),
        ({"state": "occupied"}, "/dev/video7 is in use by another program; end it"),
        ({"state": "denied"}, "no permission for /dev/video7; add yourself to the group 'video'"),
        (None, r"no camera at /dev/video7; .*plug it in"),
    ],
)
def test_it_waits_for_a_camera_that_is_not_to_be_had(
    words: dict[str, str] | None, why: str, device: Device, tmp_path: Path
) -> None:
    if words is not None:
        device.plugged_in(**words)
    out = tmp_path / "out"
    with program(*OPTIONS, str(out), "--max-frames", "12", variables=device.variables) as running:
        running.until(f"{NAME}: not there: camera:7: {why}")
        device.plugged_in()
        assert running.process.wait(LONG) == 0, running.said
    labels_are_right(device, out)


@pytest.mark.parametrize(
    ("words", "error", "why"),
    [
        ({"state": "denied"}, "SourceUnreachable", "no permission for /dev/video7; add yourself to"),
        (
            {"state": "crowded"},
            "SourceError",
            "/dev/video7 finds no room on its USB bus; set a smaller picture",
        ),
        ({"kind": "metadata"}, "SourceRefused", "/dev/video7 (Test camera) gives no pictures; "),
        ({"kind": "output"}, "SourceRefused", "/dev/video7 (Test camera) gives no pictures; "),
        ({"kind": "planes"}, "SourceRefused", "/dev/video7 (Test camera) gives its pictures in planes; "),
        ({"kind": "none"}, "SourceRefused", "/dev/video7 is no camera (Inappropriate ioctl for device); "),
        ({"formats": "BA81,GRBG"}, "SourceRefused", "has only formats that nothing decodes: BA81, GRBG"),
        ({"state": "broken"}, "SourceError", "no picture came (cut off (Input/output error)); check that"),
        (
            {"state": "stalled"},
            "SourceError",
            "no picture came (stalled: nothing came for 2.0 s); check that",
        ),
        ({"damage": 1}, "SourceError", "no picture came (stalled: nothing came for 2.0 s); check that"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(words: dict[str, str], error: str, why: str, device: Device) -> None:
    (told,) = read(device, **words)
    assert told["error"] == error
    assert told["why"].startswith("camera:7: ")
    assert why in told["why"]
    assert "\n" not in told["why"]
    assert not device.asked or device.asked[-1] == "close"


@pytest.mark.parametrize("current", ["YUYV", "MJPG"])
def test_the_format_is_the_one_that_it_is_set_to(current: str, device: Device) -> None:
    *_, facts = read(device, formats="YUYV,MJPG", current=current, rate=15)
    assert (facts["pixel_format"], facts["rate"], facts["camera"]) == (current, "15", "Test camera")
    assert not [line for line in device.asked if line.startswith(("set", "rate"))]


def test_or_the_first_that_can_be_decoded(device: Device) -> None:
    *shown, facts = read(device, formats="BA81,MJPG,YUYV", current="BA81")
    assert facts["pixel_format"] == "MJPG"
    assert [line for line in device.asked if line.startswith("set")] == ["set MJPG 160x120"]
    assert in_a_row(shown)


def test_a_camera_by_the_name_that_it_has_wherever_it_is_plugged_in(device: Device) -> None:
    *shown, _ = read(device, address="/dev/v4l/by-id/usb-Test_camera-7", rate=50)
    assert in_a_row(shown)


def test_rows_may_be_longer_than_the_picture(device: Device) -> None:
    *shown, _ = read(device, padding=32)
    assert in_a_row(shown)


def test_a_driver_that_knows_no_rate(device: Device) -> None:
    *shown, facts = read(device, norate=1)
    assert facts["rate"] == "None"
    assert in_a_row(shown)
    assert {one["source"] for one in pictures(shown)} == {"device"}


def test_pictures_that_were_lost_or_damaged_are_told(device: Device) -> None:
    *shown, facts = read(device, 24, lose=4, damage=7)
    gaps = [one for one in shown if "gap" in one]
    assert {one["gap"] for one in gaps} == {
        "damaged on the way",
        "the camera counted pictures that never came",
    }
    assert facts["gaps"] == len(gaps)
    assert len(pictures(shown)) == 24
    assert in_a_row(shown)


@pytest.mark.parametrize(("clock", "stamps"), [("monotonic", "monotonic"), ("realtime", "unix")])
def test_times_of_capture_are_the_kernels(clock: str, stamps: str, device: Device) -> None:
    *shown, facts = read(device, clock=clock)
    assert facts["clock"] == {"source": "device", "stamps": stamps, "stamps_refused": 0, "why_not": ""}
    taken = {one.stamp: one.unix for one in device.taken}
    for one in pictures(shown):
        assert one["source"] == "device"
        assert one["captured"] == pytest.approx(taken[one["pts"]], abs=0.5)


@pytest.mark.parametrize("clock", ["copy", "late"])
def test_but_not_by_a_clock_that_nobody_knows(clock: str, device: Device) -> None:
    *shown, facts = read(device, clock=clock)
    assert {(one["source"], one["captured"]) for one in pictures(shown)} == {("received", None)}
    assert facts["clock"]["source"] == "received"
    assert "no clock of this machine" in facts["clock"]["why_not"]
    assert in_a_row(shown)


def pictures(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All but gaps."""
    return [one for one in shown if "gap" not in one]


def in_a_row(shown: list[dict[str, Any]]) -> bool:
    """Each picture is the one after that before, or as many were missing in between as was told."""
    expected: int | None = None
    for one in shown:
        if "gap" in one:
            expected = None if expected is None else expected + one["packets"]
            continue
        if expected is not None and one["number"] != expected:
            return False
        expected = one["number"] + 1
    return expected is not None


def more_labels(running: Program, out: Path, *, epoch: int) -> None:
    """Some of this epoch are on their way to the file."""
    told = f'"outcome":"labelled","epoch":{epoch},'.encode()
    wait_for(
        lambda: any(file.read_bytes().count(told) >= 8 for file in out.glob(f".{NAME}.*.partial")), running
    )
