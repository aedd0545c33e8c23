"""The facts of a file, as ``probe`` finds them, in a dozen lines that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from vidinfer.cli.text import count, duration, printable, size, table

__all__ = ["facts_text"]

Facts = Mapping[str, Any]


def facts_text(name: str, facts: Facts) -> str:
    """A headline and one line per subject; a subject without news has none."""
    container, video = facts["container"], facts["video"]
    length = container.get("duration")
    headline = [container["name"], size(facts["bytes"]), "" if length is None else duration(length)]
    rows = [
        ("video", _picture(video)),
        ("colour", _colour(video.get("colour") or {}, video.get("hdr"))),
        ("turned", _turned(video)),
        ("frames", _frames(video)),
        ("timing", _timing(video)),
        ("keyframes", _keyframes(video["packets"])),
        ("damage", _damage(video["packets"], video.get("found") or {})),
        ("oddities", _oddities(video["packets"], video.get("found") or {})),
        *_others(facts["streams"]),
    ]
    lines = [("  " + subject, text) for subject, text in rows if text]
    return f"{printable(name)}: {', '.join(filter(None, headline))}\n{table(lines)}"


def _picture(video: Facts) -> str:
    width, height = video["displayed_size"]
    profile = f" ({video['profile']})" if video.get("profile") else ""
    parts = [
        f"{video['codec']}{profile}",
        f"{width}x{height}",
        f"{video['pix_fmt']}, {video['bit_depth']} bit",
    ]
    if video.get("sample_aspect_ratio") not in (None, "1:1", "0:1"):
        parts.append(f"pixels {video['sample_aspect_ratio']}")
    if video.get("interlaced"):
        parts.append("interlaced")
    return ", ".join(parts)


def _colour(colour: Facts, hdr: object) -> str:
    tagged = ", ".join(f"{key} {value}" for key, value in colour.items() if isinstance(value, str))
    assumed = colour.get("assumed") or {}
    guessed = ", ".join(f"{key} {value}" for key, value in assumed.items() if colour.get(key) != value)
    parts = [tagged, f"not tagged, so assumed: {guessed}" if guessed else "", f"HDR: {hdr}" if hdr else ""]
    return "; ".join(filter(None, parts))


def _turned(video: Facts) -> str:
    if not video.get("rotation") and not video.get("mirrored"):
        return ""
    width, height = video["stored_size"]
    mirrored = ", mirrored" if video.get("mirrored") else ""
    return f"{video.get('rotation', 0)} degrees clockwise{mirrored}; stored as {width}x{height}"


def _frames(video: Facts) -> str:
    claimed = video["claimed"].get("frames")
    claim = "none claimed" if claimed is None else f"{claimed} claimed"
    found = video.get("found")
    if found is None:
        return f"{claim}, {count(video['packets']['packets'], 'packet')} found"
    hidden = video["packets"].get("hidden_by_edit_list")
    return f"{found['frames']} found, {claim}" + (f", {hidden} hidden by the edit list" if hidden else "")


def _timing(video: Facts) -> str:
    seen = video.get("found") or video["packets"]
    base, steps = Fraction(video["time_base"]), seen.get("steps")
    parts = [f"time base {video['time_base']} s"]
    if steps:
        parts.append(_rate(base, steps, bool(seen.get("variable_rate"))))
    if seen.get("first_pts") is not None:
        parts.append(f"pts {seen['first_pts']} to {seen['last_pts']}")
    if video["claimed"].get("rate"):
        parts.append(f"{float(Fraction(video['claimed']['rate'])):.6g} frames/s claimed")
    return ", ".join(parts)


def _rate(base: Fraction, steps: Facts, variable: bool) -> str:
    if variable:
        return (
            f"variable rate: steps of {float(steps['min'] * base):.4g} to {float(steps['max'] * base):.4g} s"
        )
    return (
        f"constant rate: {float(1 / (steps['median'] * base)):.6g} frames/s"
        if steps["median"]
        else "no steps"
    )


def _keyframes(packets: Facts) -> str:
    gops = packets.get("gop_lengths")
    if not gops or packets["keyframes"] == packets["packets"]:
        return "all frames" if gops else ""
    spread = "" if gops["min"] == gops["max"] else f" ({gops['min']} to {gops['max']})"
    return f"{packets['keyframes']}, one every {gops['median']} frames{spread}"


def _damage(packets: Facts, found: Facts) -> str:
    gaps = found.get("gap_list") or []
    parts = [
        f"{count(found['frames_corrupt'], 'frame')} corrupt" if found.get("frames_corrupt") else "",
        f"{count(found['gaps'], 'gap')} ({count(found['packets_lost'], 'packet')} lost)"
        if found.get("gaps")
        else "",
        f"first: {gaps[0]['reason']}" if gaps else "",
        str(packets.get("error") or ""),
    ]
    return "; ".join(filter(None, parts)) or ("none found" if found else "")


def _oddities(packets: Facts, found: Facts) -> str:
    words = {
        "frames_without_pts": "frames without a timestamp",
        "pts_not_increasing": "timestamps that do not increase",
        "size_changes": "changes of size",
    }
    parts = [f"{found[key]} {text}" for key, text in words.items() if found.get(key)]
    if not found and packets.get("without_pts"):
        parts.append(f"{packets['without_pts']} packets without a timestamp")
    return ", ".join(parts)


def _others(streams: list[Facts]) -> list[tuple[str, str]]:
    rows = []
    for stream in streams[:20]:
        codec = stream.get("codec") or "unknown codec"
        if stream["type"] == "audio":
            rows.append(("sound", f"{codec}, {stream['sample_rate']} Hz, {stream['layout']}"))
        elif stream["type"] != "video":
            rows.append(("also", f"{stream['type']}: {codec}"))
        elif stream.get("attached_picture"):
            rows.append(("also", f"a cover picture: {codec}"))
    return rows
