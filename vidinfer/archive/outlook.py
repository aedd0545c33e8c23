"""A plan of a run: what there is, what cannot be read, what it will take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vidinfer.archive.estimate import CONFIDENCE, Estimate, Expected, expect
from vidinfer.archive.sample import draw_pieces, labelled_frames, measure_pieces
from vidinfer.archive.survey import Surveyed, survey
from vidinfer.archive.totals import Totals, totals_of
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import ModelUnavailable
from vidinfer.progress import StopSignal
from vidinfer.source import SourceFile, expand_sources

__all__ = ["Outlook", "look_ahead"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything ``vidinfer plan`` tells."""

    files: list[Surveyed]
    missing: list[str]
    """Sources that came to nothing, a line each."""
    totals: Totals
    frames: int
    """That a run decodes, with its options; those of duplicates only where it labels them once more."""
    sampled: float
    """Seconds of video that were to be measured; 0 for none."""
    seed: int
    expected: Expected | None
    price_per_hour: float | None
    survey_seconds: float
    unmeasured: str = ""
    """Why nothing could be measured though it was to be; empty: nothing stood in the way."""

    @property
    def problems(self) -> list[Surveyed]:
        """What cannot be read, or not wholly."""
        return [file for file in self.files if file.error is not None and file.kind != "duplicate"]

    @property
    def cost(self) -> Estimate | None:
        """In the currency of the price."""
        if self.expected is None or self.price_per_hour is None:
            return None
        return self.expected.seconds.times(self.price_per_hour / 3600)

    @property
    def exit_status(self) -> int:
        """1 where something cannot be read, or not be measured."""
        return 1 if self.missing or self.problems or self.unmeasured else 0

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        expected = self.expected
        return {
            **self.totals.as_dict(),
            "frames_to_decode": self.frames,
            "problems": [
                {"path": str(file.path), "kind": file.kind, "error": file.error} for file in self.problems
            ],
            "duplicates": [
                {"path": str(file.path), "bytes": file.size, "error": file.error}
                for file in self.files
                if file.kind == "duplicate"
            ],
            "missing": self.missing,
            "survey_seconds": self.survey_seconds,
            "unmeasured": self.unmeasured or None,
            "expected": None
            if expected is None
            else {
                "seconds": _told(expected.seconds),
                "output_bytes": _told(expected.written),
                "cost": None if self.cost is None else _told(self.cost),
                "confidence": CONFIDENCE,
                "sample": {
                    "seconds": self.sampled,
                    "pieces": expected.pieces,
                    "frames": expected.frames,
                    "seed": self.seed,
                },
            },
        }


def _told(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def look_ahead(
    config: RunConfig,
    *,
    sample: float,
    seed: int,
    price_per_hour: float | None,
    clock: Clock,
    stop: StopSignal,
    surveyed: Callable[[int, int], None],
    measuring: Callable[[int, int], None],
) -> Outlook:
    """Survey the sources of ``config`` and measure ``sample`` seconds of them.

    Args:
        config: as of the run that is planned.
        sample: seconds of video; 0 for none.
        seed: of the draw.
        price_per_hour: of the machine, for the cost.
        clock: for measuring.
        stop: ends measuring early, and the survey with an error.
        surveyed: told of files done and in all, from any thread.
        measuring: told of the piece that begins and of all.

    Raises:
        Interrupted: stopped before the survey was done.
        UsageError: options that make no sense.
    """
    config.require_offline()
    began = clock.now()
    expanded = expand_sources(config.sources)
    files = _surveyed(expanded.files, stop, surveyed)
    took = clock.now() - began
    usable = [file for file in files if file.usable]
    copies = [file for file in files if file.kind == "duplicate"]
    labelled = usable if config.archive else usable + copies  # one process labels each; all have outputs
    frames = sum(labelled_frames(file, config) for file in labelled)
    drawn = draw_pieces(usable, config, sample, seed=seed)
    pieces, unmeasured = [], ""
    try:
        pieces = measure_pieces(drawn, len(labelled), config, clock, stop, measuring) if drawn else []
    except ModelUnavailable as error:  # what the headers say is worth having all the same
        unmeasured = str(error)
    return Outlook(
        files,
        [str(error) for _, error in expanded.errors],
        totals_of(files),
        frames,
        sample,
        seed,
        expect(
            pieces,
            len(labelled),
            frames,
            written=sum(labelled_frames(file, config) for file in usable + copies),
            seed=seed,
        ),
        price_per_hour,
        took,
        unmeasured,
    )


def _surveyed(
    files: Sequence[SourceFile], stop: StopSignal, told: Callable[[int, int], None]
) -> list[Surveyed]:
    done = 0

    def advanced(count: int) -> None:
        nonlocal done
        done += count  # a number for the eye; two threads may show the same
        told(done, len(files))

    return survey(files, stopped=lambda: stop.requested, advanced=advanced)
