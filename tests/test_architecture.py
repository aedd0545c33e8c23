"""The rules of ARCHITECTURE.md, kept by reading imports and calls instead of by memory."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vidinfer"
FILES = sorted(PACKAGE.rglob("*.py"))
STAGES = ("source", "model", "annotate", "sink")

LAYERS = [
    {
        *("address", "errors", "clock", "frame", "detections", "arrival", "record"),
        *("stats", "stages", "latency", "memory", "status", "labelled"),
    },
    {"batcher", "sampling", "parity", "plan", "outputs", "report", "light", "windows", "still"},
    {"propagation", "audit"},
    {"service", "tuned", "scheduling"},
    {"ring", "channel", "workers", "ordered_map", "interrupt", "progress", "storage"},
    {*STAGES, "config", "testing", "preview"},
    {"feeder"},
    {"still_feeder"},
    {"pipeline", "live", "export"},
    {"alone"},
    {"build", "describe"},
    {"ondemand"},
    {"archive"},
    {"run", "run_archive", "run_live", "tune", "render"},
    {"label_live"},
    {"api"},
    {"cli"},
]
"""From the ground up; a module may import its own layer and those below it."""

HOMES = {
    "av": {"source", "sink"},
    "torch": {"model"},
    "torchvision": {"model"},
    "safetensors": {"model"},
    "openvino": {"model"},
    "nncf": {"model"},
    "cv2": {"annotate", "model", "source", "preview"},  # preview: JPEGs for browsers
    "pyarrow": {"sink", "export"},
    "fsspec": {"storage"},
    "yaml": {"config"},
    "aiohttp": {"preview"},
    "prometheus_client": {"preview"},
    "ray": {"archive"},
    "argparse": {"cli"},
    "signal": {"cli", "archive"},  # archive: Ray takes SIGTERM for itself, which is undone
    "time": {"clock"},
    "datetime": {"clock"},
}
"""Each library has its homes; everything else gets it through them. ``cli`` may look at any for ``doctor``."""


def module_of(path: Path) -> str:
    """``vidinfer/sink/video.py`` -> ``sink``; the package's own ``__init__`` -> ``__init__``."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> list[tuple[int, str]]:
    """Every module imported anywhere in the file, as dotted names with their lines."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            found += [(node.lineno, node.module)]
            if node.module == "vidinfer":
                found += [(node.lineno, f"vidinfer.{alias.name}") for alias in node.names]
    return found


def layer(module: str) -> int | None:
    return next((i for i, names in enumerate(LAYERS) if module in names), None)


def ids(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_go_down_and_stages_do_not_know_each_other(path: Path) -> None:
    me = module_of(path)
    if me in ("__init__", "__main__"):
        return
    assert layer(me) is not None, f"{me} has no layer: say where it belongs"
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] != "vidinfer" or len(parts) == 1 or parts[1] in (me, "__version__"):
            continue
        other = parts[1]
        assert layer(other) is not None, f"{path}:{line}: {name} has no layer"
        assert layer(other) <= layer(me), f"{path}:{line}: {me} imports {name}, which is above it"  # type: ignore[operator]
        assert not (me in STAGES and other in STAGES), f"{path}:{line}: stage {me} imports stage {other}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_each_library_has_its_home(path: Path) -> None:
    me = module_of(path)
    for line, name in imports(path):
        home = HOMES.get(name.split(".")[0])
        assert home is None or me in home or me == "cli", f"{path}:{line}: {name} belongs in {sorted(home)}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_threads_printing_and_the_environment_have_their_homes(path: Path) -> None:
    me = module_of(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert me == "cli", f"{path}:{node.lineno}: print outside cli/"
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            assert dotted != "threading.Thread" or me == "workers", f"{path}:{node.lineno}: {dotted}"
            assert dotted not in ("os.environ", "os.getenv") or me == "cli", f"{path}:{node.lineno}: {dotted}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, f"{path} has {text.count(chr(10))} lines: split it"
    assert path.stem not in ("utils", "common", "helpers", "misc")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{path}:{node.lineno}: {node.name} is too long"


def test_the_pipeline_sees_protocols_only() -> None:
    seen = {name for _, name in imports(PACKAGE / "pipeline.py")}
    concrete = {f"vidinfer.{stage}" for stage in STAGES}
    assert not {name for name in seen if any(name.startswith(c) for c in concrete)}


@pytest.mark.parametrize(
    "statement", ["import vidinfer", "import vidinfer.cli.main", "import vidinfer.config"]
)
def test_importing_loads_neither_torch_nor_av(statement: str) -> None:
    heavy = ("torch", "av", "cv2", "pyarrow", "numpy")
    code = f"import sys; {statement}; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
