"""The largest networks of controlnet-aux in their real sizes, from files of weights made by chance: the map is its own detector's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from models.memory.device import mend_torchvision
from pipelines.preprocessors import preprocess
from pipelines.preprocessors.annotators import ANNOTATORS, Annotator, Annotators
from tests.test_preprocessors import scene

SIDE = 64
Map = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    mend_torchvision()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"controlnet_aux|timm|torch")
        yield


def loaded(folder: Path, key: str, state: dict[str, Any]) -> Annotator:
    """Through a file as it is published."""
    path = folder / "annotators" / (ANNOTATORS[key].place or key) / ANNOTATORS[key].files[0].name
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    return Annotators([folder], folder / "starter").load(key, torch.device("cpu"), torch.float32)


def shaken(network: nn.Module) -> nn.Module:
    """Weights by chance that let differences in the picture through to the end."""
    torch.manual_seed(0)
    for weight in network.parameters():
        if weight.ndim > 1:
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
    return network.eval().requires_grad_(False)


def drawn(name: str, annotator: Annotator, a: float = -1) -> Map:
    return np.asarray(preprocess(name, Image.fromarray(scene(2 * SIDE, SIDE)), SIDE, a, -1, annotator))


def same(made: Map, expected: Any) -> bool:
    assert made.shape == np.asarray(expected).shape and len(np.unique(made)) > 10, "a map of one shade says nothing"
    return bool(np.abs(made.astype(int) - np.asarray(expected)).max() <= 1)


def asked(detector: Any, **more: Any) -> Any:
    return detector(scene(2 * SIDE, SIDE), detect_resolution=SIDE, image_resolution=SIDE, output_type="np", **more)


def test_midas_gives_the_depth_and_the_normals_of_controlnet_aux(tmp_path: Path) -> None:
    from controlnet_aux.midas import MidasDetector
    from controlnet_aux.midas.midas.dpt_depth import DPTDepthModel

    network: Any = shaken(DPTDepthModel(path=None, backbone="vitb_rn50_384", non_negative=True))
    network.scratch.output_conv[4].bias.data.fill_(1000)  # so that it is not cut off at nothing everywhere
    annotator = loaded(tmp_path, "midas", network.state_dict())
    depth, normals = asked(MidasDetector(network), depth_and_normal=True)
    assert same(drawn("MiDaS", annotator), depth)
    assert same(drawn("MiDaS normals", annotator, 0.1), normals)


def test_leres_gives_the_depth_of_controlnet_aux(tmp_path: Path) -> None:
    from controlnet_aux.leres import LeresDetector
    from controlnet_aux.leres.leres.multi_depth_model_woauxi import RelDepthModel

    network = shaken(RelDepthModel(backbone="resnext101"))
    annotator = loaded(tmp_path, "leres", {"depth_model": {f"module.{name}": weight for name, weight in network.state_dict().items()}})
    assert same(drawn("LeReS", annotator), asked(LeresDetector(network, None)))


def test_bae_gives_the_normals_of_controlnet_aux(tmp_path: Path) -> None:
    from controlnet_aux.normalbae import NormalBaeDetector
    from controlnet_aux.normalbae.nets.NNET import NNET

    sizes = SimpleNamespace(mode="client", architecture="BN", pretrained="scannet", sampling_ratio=0.4, importance_ratio=0.7)
    network = shaken(NNET(sizes))
    annotator = loaded(tmp_path, "normal_bae", {"model": {f"module.{name}": weight for name, weight in network.state_dict().items()}})
    assert same(drawn("Normal BAE", annotator), asked(NormalBaeDetector(network)))


def test_mobile_sam_is_known_by_what_is_in_its_file(tmp_path: Path) -> None:
    from controlnet_aux.segment_anything.build_sam import sam_model_registry

    network: Any = sam_model_registry["vit_t"]()
    network.mask_decoder.iou_prediction_head.layers[-1].bias.data.fill_(1)  # it thinks well of all its answers
    for weight in network.mask_decoder.output_hypernetworks_mlps.parameters():
        weight.data.mul_(100)  # so that masks have sharp outlines
    annotator = loaded(tmp_path, "segment_anything", network.state_dict())
    read = annotator.networks[0].state_dict()
    assert all(torch.equal(weight, read[name]) for name, weight in network.state_dict().items())
    assert len(np.unique(drawn("Segment Anything", annotator, 4))) > 1
