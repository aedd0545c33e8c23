"""torchvision is imported without torch's compiler, and the compiler is there for who wants it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def python(code: str, *paths: Path) -> str:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*paths, Path(__file__).parents[2]]))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_labelling_does_not_import_the_compiler() -> None:
    said = python(
        "import sys, numpy as np\n"
        "from vidinfer.model import load_model\n"
        "model = load_model('demo', device='cpu')\n"
        "spec = model.input_for(640, 360)\n"
        "model.predict(model.allocate(2, spec), 640, 360)\n"
        "print('torch._dynamo' in sys.modules)\n"
    )
    assert said.split() == ["False"]


def test_the_compiler_is_whole_afterwards() -> None:
    said = python(
        "from vidinfer.model.lean import import_torchvision\n"
        "import_torchvision()\n"
        "import torch\n"
        "from torchvision.ops import roi_align\n"
        "torch.use_deterministic_algorithms(True)\n"
        "print(roi_align(torch.ones(1, 1, 4, 4), [torch.tensor([[0.0, 0.0, 4.0, 4.0]])], (1, 1)).item())\n"
        "import torch._dynamo.utils\n"
        "print(len(torch._dynamo.utils.counters), torch._dynamo.__file__ is not None)\n"
    )
    assert said.split() == ["1.0", "0", "True"]


def test_a_torchvision_that_asks_for_more_of_it_is_imported_as_ever(tmp_path: Path) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("from . import ops\n")
    (package / "ops.py").write_text("from torch._dynamo.utils import counters\n")
    said = python(
        "from vidinfer.model.lean import import_torchvision\n"
        "import_torchvision()\n"
        "import torchvision.ops\n"
        "print(type(torchvision.ops.counters).__name__, torchvision.__file__)\n",
        tmp_path,
    )
    assert said.split() == ["defaultdict", str(package / "__init__.py")]


def test_where_the_compiler_is_there_already_nothing_is_different() -> None:
    said = python(
        "import torch._dynamo as compiler\n"
        "from vidinfer.model.lean import import_torchvision\n"
        "import_torchvision()\n"
        "import sys, torchvision\n"
        "print(sys.modules['torch._dynamo'] is compiler)\n"
    )
    assert said.split() == ["True"]
