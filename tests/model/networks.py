"""Detectors with random weights that answer to what they see, small enough for a test."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision.models import get_model

from tests.model.reference import awaken

CLASSES = 6
"""Few, so that scores lie well apart without logits so large that they magnify rounding."""


def random_detector(name: str, *, few_proposals: bool = True, **options: Any) -> nn.Module:
    """A torchvision detector, not trained, whose findings depend on the picture."""
    torch.manual_seed(len(name))
    if (
        "rcnn" in name and few_proposals
    ):  # fewer proposals: the box head is most of the work on small pictures
        options = {"rpn_pre_nms_top_n_test": 120, "rpn_post_nms_top_n_test": 40, **options}
    network = get_model(
        name, weights=None, weights_backbone=None, **{"num_classes": CLASSES, **options}
    ).eval()
    awaken(network, _heads(network), 320)
    return network


def _heads(network: Any) -> list[tuple[nn.Module, float, float]]:
    """Layers that score and place, with the mean and spread that their outputs shall have."""
    if hasattr(network, "roi_heads"):
        predictor = network.roi_heads.box_predictor
        rpn = network.rpn.head
        placing = [(rpn.bbox_pred, 0.0, 0.05), (predictor.bbox_pred, 0.0, 0.1)]
        return [(rpn.cls_logits, 0.0, 1.0), (predictor.cls_score, 0.0, 0.3), *placing]
    head = network.head
    if hasattr(head.classification_head, "module_list"):
        scoring = [_last(block) for block in head.classification_head.module_list]
        placing = [_last(block) for block in head.regression_head.module_list]
        return [(layer, 0.0, 1.0) for layer in scoring] + [(layer, 0.0, 0.3) for layer in placing]
    layers = [(head.classification_head.cls_logits, -2.0, 0.8), (head.regression_head.bbox_reg, 1.0, 0.4)]
    centre = getattr(head.regression_head, "bbox_ctrness", None)
    return layers if centre is None else [*layers, (centre, 0.5, 0.4)]


def _last(block: nn.Module) -> nn.Module:
    return block[-1] if isinstance(block, nn.Sequential) else block
