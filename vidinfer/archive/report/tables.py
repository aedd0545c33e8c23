"""The report's building blocks. Cells are HTML already."""

from __future__ import annotations

from collections.abc import Sequence, Set

from vidinfer.archive.report.words import link, safe

__all__ = ["facts", "key", "meter", "named", "note", "table", "tile"]


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Set[int] = frozenset(),
    wide: Set[int] = frozenset(),
    bars: Set[int] = frozenset(),
) -> str:
    """Columns in ``right`` hold numbers, in ``wide`` long text, in ``bars`` a ``meter``; the first holds names."""

    def kind(i: int) -> str:
        if i in right:
            return "n"
        return "why" if i in wide else "meter" if i in bars else "name" if i == 0 else ""

    kinds = [kind(i) for i in range(len(heads))]

    def row(tag: str, cells: Sequence[str]) -> str:
        marked = (f' class="{kind}"' if kind else "" for kind in kinds)
        return (
            "<tr>" + "".join(f"<{tag}{m}>{c}</{tag}>" for m, c in zip(marked, cells, strict=True)) + "</tr>"
        )

    body = "\n".join(row("td", cells) for cells in rows)
    return (
        f'<div class="wide"><table><thead>{row("th", heads)}</thead>\n<tbody>{body}</tbody></table></div>\n'
    )


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values, which are plain text."""
    told = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>" for name, value in pairs)
    return f"<dl>{told}</dl>\n"


def tile(value: str, what: str) -> str:
    """A figure that stands out."""
    return f'<div class="tile"><b>{safe(value)}</b><span>{safe(what)}</span></div>'


def key(status: str) -> str:
    """A status's colour."""
    return f'<i class="key {status}"></i>'


def meter(share: float) -> str:
    """A bar from 0 to 1."""
    return f'<i style="width:{100 * min(1.0, max(0.0, share)):.1f}%"></i>'


def named(source: str, outputs: Sequence[str]) -> str:
    """A source's name, leading to its label file."""
    return f'<a href="{link(outputs[0])}">{safe(source)}</a>' if outputs else safe(source)


def note(text: str) -> str:
    """What is of less weight; plain text."""
    return f'<p class="note">{safe(text)}</p>\n'
