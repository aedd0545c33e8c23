"""The examination of a healthy installation finds nothing wrong, and says what it saw."""

from __future__ import annotations

from vidinfer.model.doctor import examine_model


def test_every_part_is_examined() -> None:
    findings = {finding.name: finding for finding in examine_model()}
    assert list(findings) == [
        "torch",
        "operators",
        "devices",
        "processor",
        "backends",
        "threads",
        "inference",
    ]
    for finding in findings.values():
        assert finding.found
        assert bool(finding.todo) == finding.problem
    assert not findings["operators"].problem
    assert "ms for one 640x360 picture" in findings["inference"].found
