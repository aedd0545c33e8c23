"""``vidinfer doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from vidinfer.cli.checks import CHECKS, Finding, examine
from vidinfer.cli.parser import Parser, parse
from vidinfer.cli.text import printable

__all__ = ["doctor", "doctor_parser", "report_text"]

_MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


def doctor_parser() -> Parser:
    """The parser of ``vidinfer doctor``."""
    parser = Parser(
        prog="vidinfer doctor",
        usage="vidinfer doctor [--json]",
        description="Examine the installation: versions, devices, codecs, threads, a tiny inference, a tiny video "
        "written and read back. Exit status 1 when something is wrong.",
    )
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def doctor(arguments: Sequence[str]) -> int:
    """Examine the installation and print what was found.

    Returns:
        The exit status.
    """
    given = parse(doctor_parser(), arguments)
    findings = [finding for name, check in CHECKS.items() for finding in examine(name, check)]
    wrong = any(finding.status == "problem" for finding in findings)
    if given.json:
        print(json.dumps({"ok": not wrong, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        print(report_text(findings))
    return 1 if wrong else 0


def report_text(findings: Sequence[Finding]) -> str:
    """A line per finding, what to do below it, and a verdict."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.status]}  {finding.name.ljust(width)}  {printable(finding.found)}")
        if finding.todo:
            lines.append(f"{' ' * (len(_MARKS['ok']) + width + 4)}-> {printable(finding.todo)}")
    problems = sum(finding.status == "problem" for finding in findings)
    verdict = "everything works" if not problems else f"{problems} of {len(findings)} need attention"
    return "\n".join([*lines, "", verdict])
