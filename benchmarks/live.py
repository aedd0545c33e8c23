"""Live streams, measured: simulated cameras before the real parts with a real model. ``vidinfer bench live``.

Four policies take turns in each scenario: ``eager`` (whatever there is, as soon as the model is free), ``window 10 ms``
(a fixed window), ``rounds`` (rate-matched rounds) and ``ours`` (``--policy latency``, with the budget). Latency counts
from when a frame was due. The cameras' pictures are prepared but not decoded, see ``live_cameras``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.live_bench import SIZE, Bench, Effort, reader_for
from benchmarks.live_cameras import pictures
from benchmarks.live_rig import POLICIES, Rig
from benchmarks.live_scenarios import SCENARIOS
from benchmarks.live_theory import Theory, measured_line, preparing
from vidinfer.build import open_model
from vidinfer.clock import MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.errors import VidinferError
from vidinfer.plan import thread_plan

__all__ = ["main", "options_of", "table"]


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="vidinfer bench live",
        description="Simulated cameras before the real parts with a real model, by four policies.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"{', '.join(SCENARIOS)}; default: all but soak"
    )
    parser.add_argument("--model", default="demo", help="name (default: demo)")
    parser.add_argument(
        "--weights",
        default="DEFAULT",
        help="of torchvision, a file, or none: random, seeded (default: DEFAULT)",
    )
    parser.add_argument(
        "--size",
        type=_size,
        default=SIZE,
        metavar="WxH",
        help=f"of the cameras' pictures (default: {SIZE[0]}x{SIZE[1]}); small ones cost little to prepare",
    )
    parser.add_argument(
        "--latency-slo", type=float, default=100.0, metavar="MS", help="budget (default: 100)"
    )
    parser.add_argument("--queue", type=int, default=8, help="frames that wait of each camera (default: 8)")
    parser.add_argument("--minutes", type=float, default=30.0, help="of soak (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of phases and jitter (default: 1)")
    parser.add_argument(
        "--policy",
        action="append",
        choices=POLICIES,
        help="only this one; may be repeated (default: all four)",
    )
    parser.add_argument("--quick", action="store_true", help="short runs: rough figures")
    parser.add_argument("--json", action="store_true", help="JSON lines alone, no table")
    options = parser.parse_args(arguments)
    for one in options.scenarios:
        if one not in SCENARIOS:
            parser.error(f"scenario {one!r}: choose {', '.join(SCENARIOS)}")
    options.policies = tuple(one for one in POLICIES if one in (options.policy or POLICIES))
    options.scenarios = options.scenarios or [name for name in SCENARIOS if name != "soak"]
    return options


def _size(value: str) -> tuple[int, int]:
    wide, _, high = value.partition("x")
    if not (wide.isdecimal() and high.isdecimal()):
        raise argparse.ArgumentTypeError(f"{value!r} is no size: give WIDTHxHEIGHT, such as 640x360")
    width, height = int(wide), int(high)
    if width % 2 or height % 2 or not (128 <= width <= 7680 and 96 <= height <= 4320):
        raise argparse.ArgumentTypeError(f"{value}: even numbers from 128x96 to 7680x4320 are possible")
    return width, height


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Rows, each with its ``scenario``."""
    clock, frames = MonotonicClock(), pictures(*options.size)
    config = RunConfig(sources=("simulated.mp4",), mode="live", model=options.model, weights=options.weights)
    model = open_model(config, thread_plan(), progress=True)
    try:
        rig = Rig(model, clock, reader_for(model, frames, options.size))
        bench = Bench(
            rig, clock, frames, options, Effort.quick() if options.quick else Effort(), options.size
        )
        line, told = measured_line(bench)
        info, cost = model.info, preparing(bench)
        theory = Theory.of(line, cost, bench.budget)
        yield {
            "scenario": "line",
            "model": info.name,
            "backend": f"{info.backend} {info.precision}",
            "seed": options.seed,
            "effort": asdict(bench.effort),
            **told,
            "size": "x".join(map(str, options.size)),
            "prepare_core_ms": round(cost, 3),
            "theory_frames_per_second": {name: round(value, 1) for name, value in asdict(theory).items()},
        }
        for name in options.scenarios:
            for row in SCENARIOS[name](bench, line):
                yield {"scenario": name, **row}
    finally:
        model.close()


COLUMNS = ("scenario", "policy", "cameras", "rate", "p50", "p95", "p99", "max", "overtime", "mean_batch")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown; latencies in milliseconds."""
    heads = (*COLUMNS, "dropped", "shed", "cores", "ledger", "")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        if "policy" not in row:
            continue
        cells = [row.get(name) for name in COLUMNS]
        drops = ", ".join(f"{n} {why}" for why, n in row.get("dropped", {}).items())
        more = [drops, row.get("shed"), row.get("cores"), "balanced" if "ledger" in row else ""]
        note = "; ".join(
            f"{name} {row[name]}"
            for name in (
                "p99_over_l1_p99_ms",
                "p99_over_l1_p50_ms",
                "capacity",
                "of_theory_model_alone",
                "of_theory_with_preparing",
                "share_of_each",
                "slowest_recovery",
                "mb_a_minute",
            )
            if name in row
        )
        lines.append("| " + " | ".join("" if c is None else str(c) for c in [*cells, *more, note]) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """JSON lines, and then the table."""
    options = options_of(sys.argv[1:] if arguments is None else arguments)
    rows = []
    try:
        for row in measure(options):
            rows.append(row)
            print(json.dumps(row, default=lambda number: number.item()), flush=True)  # of numpy
    except (VidinferError, RuntimeError) as error:
        print(f"bench live: {error}", file=sys.stderr)
        return 1
    if not options.json:
        print(table(rows), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
