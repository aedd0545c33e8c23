"""Configuration files: YAML with the names of the flags, read as text so that times stay exact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidinfer.config.options import OPTIONS, nearest
from vidinfer.errors import UsageError

if TYPE_CHECKING:
    import yaml

__all__ = ["read_file"]


def read_file(path: Path) -> dict[str, Any]:
    """Options by name, checked; ``sources`` may be among them. Paths in it are relative to the working folder.

    Raises:
        UsageError: unreadable, no YAML, an unknown option (with the nearest name), a wrong value: each with its line.
    """
    root = _parse(path)
    if root is None:
        return {}
    if root.tag != "tag:yaml.org,2002:map":
        raise _error(path, root, "expected lines of the form `option: value`")
    options: dict[str, Any] = {}
    for key, value in root.value:
        name = str(key.value).replace("-", "_")
        if name not in OPTIONS and name != "sources":
            hint = nearest(name, [*OPTIONS, "sources"]).replace("_", "-")
            raise _error(path, key, f"no such option: {key.value}{hint}")
        if name in options:
            raise _error(path, key, f"{key.value} is given twice; keep one")
        if (given := _value(path, key, value)) is None:
            continue
        options[name] = (
            _sources(path, value, given)
            if name == "sources"
            else OPTIONS[name].read(given, f"{path} line {_line(value)}: {key.value}")
        )
    return options


def _parse(path: Path) -> yaml.Node | None:
    import yaml

    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"cannot read configuration {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"configuration {path} is not UTF-8 text: byte {error.start}") from error
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error


def _value(path: Path, key: yaml.Node, value: yaml.Node) -> str | list[str] | None:
    """The text of a scalar, the texts of a list; ``None`` where the value is left empty."""
    import yaml

    if isinstance(value, yaml.ScalarNode):
        return None if value.tag == "tag:yaml.org,2002:null" else str(value.value)
    if isinstance(value, yaml.SequenceNode) and all(
        isinstance(item, yaml.ScalarNode) for item in value.value
    ):
        return [str(item.value) for item in value.value]
    raise _error(path, value, f"{key.value}: expected a value or a list of values")


def _sources(path: Path, value: yaml.Node, given: str | list[str]) -> tuple[str, ...]:
    sources = (given,) if isinstance(given, str) else tuple(given)
    if not all(sources):
        raise _error(path, value, "sources: expected paths or addresses, got an empty one")
    return sources


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _error(path: Path, node: yaml.Node, text: str) -> UsageError:
    return UsageError(f"{path} line {_line(node)}: {text}")
