"""Folders of annotators with weights made by chance: the real networks of controlnet-aux and transformers, in the files' real names."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.memory.device import mend_torchvision
from pipelines.preprocessors.annotators import ANNOTATORS, STARTER

SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2}
DPT: dict[str, Any] = {
    **SMALL,
    "intermediate_size": 64,
    "backbone_out_indices": [0, 1, 2, 3],
    "neck_hidden_sizes": [8, 8, 16, 16],
    "fusion_hidden_size": 16,
}


def write(root: Path, key: str) -> None:
    """Everything that the annotator needs, below `root`, a folder of models that holds the starter too."""
    mend_torchvision()
    torch.manual_seed(0)
    folder = root / "starter" / "depth_estimator" if key == STARTER else root / "annotators" / (ANNOTATORS[key].place or key)
    folder.mkdir(parents=True, exist_ok=True)
    if key in FOLDERS:
        network, processor = FOLDERS[key]()
        network.save_pretrained(folder)
        processor.save_pretrained(folder)
    for file in ANNOTATORS[key].files if key not in FOLDERS else ():
        if not (folder / file.name).exists():  # another annotator may have it too
            torch.save(FILES[file.name](), folder / file.name)


# ---- files ---------------------------------------------------------------------------------------------------------------------


def _hed() -> Any:
    from controlnet_aux.hed import ControlNetHED_Apache2

    return ControlNetHED_Apache2().state_dict()


def _pidinet() -> Any:
    from controlnet_aux.pidi.model import pidinet

    return {"state_dict": {f"module.{name}": weight for name, weight in pidinet().state_dict().items()}}


def _teed() -> Any:
    from controlnet_aux.teed.ted import TED

    return TED().state_dict()


def _line_art() -> Any:
    from controlnet_aux.lineart import Generator

    return Generator(3, 1, 3).state_dict()


def _line_art_anime() -> Any:
    from controlnet_aux.lineart_anime import UnetGenerator

    norm: Any = functools.partial(nn.InstanceNorm2d, affine=False, track_running_stats=False)
    return {f"module.{name}": weight for name, weight in UnetGenerator(3, 1, 8, 64, norm_layer=norm).state_dict().items()}


def _mlsd() -> Any:
    from controlnet_aux.mlsd.models.mbv2_mlsd_large import MobileV2_MLSD_Large

    return MobileV2_MLSD_Large().state_dict()


def _body() -> Any:
    from controlnet_aux.open_pose.model import bodypose_model

    return _without_first_part(bodypose_model().state_dict())


def _hand() -> Any:
    from controlnet_aux.open_pose.model import handpose_model

    return _without_first_part(handpose_model().state_dict())


def _face() -> Any:
    from controlnet_aux.open_pose.face import FaceNet

    return FaceNet().state_dict()


def _without_first_part(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name.partition(".")[2]: weight for name, weight in state.items()}


FILES: dict[str, Callable[[], Any]] = {
    "ControlNetHED.pth": _hed,
    "table5_pidinet.pth": _pidinet,
    "5_model.pth": _teed,
    "MTEED.pth": _teed,
    "sk_model.pth": _line_art,
    "sk_model2.pth": _line_art,
    "netG.pth": _line_art_anime,
    "mlsd_large_512_fp32.pth": _mlsd,
    "body_pose_model.pth": _body,
    "hand_pose_model.pth": _hand,
    "facenet.pth": _face,
}


def small_segment_anything() -> nn.Module:
    """The same parts for pictures of 64 pixels. It thinks well of all its answers."""
    from controlnet_aux.segment_anything import modeling as parts

    torch.manual_seed(0)
    encoder = parts.ImageEncoderViT(img_size=64, embed_dim=32, depth=1, num_heads=2, out_chans=32, window_size=2)
    prompts = parts.PromptEncoder(embed_dim=32, image_embedding_size=(4, 4), input_image_size=(64, 64), mask_in_chans=4)
    transformer = parts.TwoWayTransformer(depth=1, embedding_dim=32, mlp_dim=32, num_heads=2)
    decoder: Any = parts.MaskDecoder(transformer_dim=32, transformer=transformer)
    decoder.iou_prediction_head.layers[-1].bias.data.fill_(1)
    return parts.Sam(encoder, prompts, decoder).eval()


# ---- folders of transformers ---------------------------------------------------------------------------------------------------


def _dpt() -> tuple[Any, Any]:
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    network = DPTForDepthEstimation(DPTConfig(**DPT, image_size=64))
    return network, DPTImageProcessor(size={"height": 64, "width": 64})


def _depth_anything(kind: str = "relative") -> tuple[Any, Any]:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, DPTImageProcessor

    stages: dict[str, Any] = {"out_features": [f"stage{index}" for index in range(1, 5)]}
    backbone = Dinov2Config(**SMALL, image_size=56, patch_size=14, **stages, reshape_hidden_states=False)
    sizes: dict[str, Any] = {"reassemble_hidden_size": 32, "patch_size": 14, "neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 16}
    network = DepthAnythingForDepthEstimation(
        DepthAnythingConfig(backbone_config=backbone, **sizes, depth_estimation_type=kind, max_depth=20)
    )
    return network, DPTImageProcessor(size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14)


def _zoedepth() -> tuple[Any, Any]:
    from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation, ZoeDepthImageProcessor

    stages: dict[str, Any] = {"out_features": [f"stage{index}" for index in range(1, 5)]}
    backbone = BeitConfig(
        **SMALL, intermediate_size=64, image_size=64, **stages, reshape_hidden_states=False, use_relative_position_bias=True
    )
    sizes: dict[str, Any] = {
        "neck_hidden_sizes": [8, 8, 16, 16],
        "fusion_hidden_size": 16,
        "bottleneck_features": 16,
        "bin_embedding_dim": 16,
    }
    network = ZoeDepthForDepthEstimation(ZoeDepthConfig(backbone_config=backbone, **sizes))
    return network, ZoeDepthImageProcessor(size={"height": 64, "width": 64})


def _depth_pro() -> tuple[Any, Any]:
    from transformers import DepthProConfig, DepthProForDepthEstimation, DepthProImageProcessor, Dinov2Config

    encoder = Dinov2Config(**SMALL, image_size=32, patch_size=8)
    network = DepthProForDepthEstimation(
        DepthProConfig(
            patch_size=32, fusion_hidden_size=16, intermediate_hook_ids=[2, 1], intermediate_feature_dims=[16, 16],
            scaled_images_feature_dims=[32, 32, 16], image_model_config=encoder, patch_model_config=encoder, fov_model_config=encoder,
            use_fov_model=True,
        )
    )  # fmt: skip
    return network, DepthProImageProcessor(size={"height": 128, "width": 128})


def _segformer() -> tuple[Any, Any]:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    sizes: dict[str, Any] = {
        "hidden_sizes": [8, 8, 16, 16],
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 2],
        "decoder_hidden_size": 16,
        "num_labels": 150,
    }
    network = SegformerForSemanticSegmentation(SegformerConfig(**sizes))
    return network, SegformerImageProcessor(size={"height": 64, "width": 64})


def _safety_checker() -> tuple[Any, Any]:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    sizes: dict[str, Any] = {**SMALL, "num_hidden_layers": 2, "intermediate_size": 64}
    network = StableDiffusionSafetyChecker(CLIPConfig(vision_config={**sizes, "image_size": 32, "patch_size": 8}, projection_dim=16))
    with torch.no_grad():
        for weight in (network.concept_embeds, network.special_care_embeds):
            weight.normal_()
        network.concept_embeds_weights.fill_(2)  # nothing is near
        network.special_care_embeds_weights.fill_(2)
    return network, CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


FOLDERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    STARTER: _dpt,
    "dpt": _dpt,
    "depth_anything_v2": _depth_anything,
    "zoedepth": _zoedepth,
    "depth_pro": _depth_pro,
    "segformer": _segformer,
    "safety_checker": _safety_checker,
}
LARGE = ("midas", "normal_bae", "leres", "segment_anything")  # each once, in test_annotators_large.py; elsewhere with fakes
RUN_BY_HAND = ("zoe",)  # a minute for one map; its path runs with a fake
