"""Converted networks on the disk: kept, made anew when damaged, only so many, and never half."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from vidinfer.model.backends import Supplies
from vidinfer.model.backends.openvino import OpenVinoFactory
from vidinfer.model.graphs import KEPT, GraphStore


def test_converted_networks_are_kept_and_a_damaged_one_is_made_anew(tmp_path: Path) -> None:
    store = GraphStore(tmp_path, {"model": "test"})
    part = nn.Conv2d(3, 4, 3)

    class Nhwc(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = part

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return (self.conv(x.permute(0, 3, 1, 2)),)

    example = torch.rand(2, 8, 8, 3)

    def outputs() -> Tensor:
        factory = OpenVinoFactory("fp32", 1, Supplies(graphs=store))
        return factory.engine(Nhwc(), example).submit(example).result()[0].clone()

    first = outputs()
    (kept,) = (tmp_path / "graphs").glob("*.xml")
    assert torch.equal(first, outputs())
    kept.write_text("<net")
    assert torch.equal(first, outputs())
    kept.with_suffix(".bin").unlink()
    assert torch.equal(first, outputs())


def test_only_so_many_converted_networks_are_kept(tmp_path: Path) -> None:
    for i in range(KEPT + 3):
        store = GraphStore(tmp_path, {"model": i})
        path = store.path_for(nn.Identity(), torch.zeros(1, 2))
        assert path is not None

        def save(to: Path) -> None:
            to.write_text("graph")
            to.with_suffix(".bin").write_text("weights")

        store.keep(path, save)
    assert len(list((tmp_path / "graphs").glob("*.xml"))) == KEPT
    assert len(list((tmp_path / "graphs").glob("*.bin"))) == KEPT


def test_a_full_disk_keeps_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    store = GraphStore(tmp_path, {})
    path = store.path_for(nn.Identity(), torch.zeros(1, 2))
    assert path is not None

    def save(to: Path) -> None:
        to.write_text("half a")
        raise OSError("no space left on device")

    store.keep(path, save)
    assert list((tmp_path / "graphs").iterdir()) == []
