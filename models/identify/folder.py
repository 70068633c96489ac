"""Folders in the diffusers layout identified, from their small JSON files. No class that they name is ever imported.

`model_index.json` says which class each part has: the names are compared with a list and mean nothing else. A folder that brings
classes of its own, or numbers that no network has, is not loaded. A folder with one network has no index, only a `config.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from models.families import SVD, X4_UPSCALER
from models.files import Identity, ModelKind
from models.identify.control import CLASSES as CONTROL_CLASSES
from models.identify.control import control_folder
from models.identify.distilled import distilled
from models.json_values import is_list, is_table, is_whole, listed, table

INDEX = "model_index.json"  # of a folder with a whole model
CONFIG = "config.json"  # of a folder with one network
MOST_JSON = 1_000_000  # bytes
MOST_NUMBER = 65_536  # of any whole number in a network's configuration: channels, widths, words; more would be an attack on memory
NETWORKS = ("unet", "vae", "text_encoder", "text_encoder_2")

CLASSES: Mapping[str, frozenset[str]] = {
    "diffusers": frozenset({
        "UNet2DConditionModel", "AutoencoderKL", "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler",
        "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "DPMSolverMultistepScheduler",
        "DPMSolverSinglestepScheduler", "DPMSolverSDEScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler",
        "UniPCMultistepScheduler", "DEISMultistepScheduler", "LCMScheduler", "TCDScheduler", "EDMDPMSolverMultistepScheduler",
        "EDMEulerScheduler",
    }),
    "transformers": frozenset({
        "CLIPTextModel", "CLIPTextModelWithProjection", "CLIPTokenizer", "CLIPTokenizerFast", "CLIPImageProcessor", "CLIPFeatureExtractor",
        "CLIPVisionModelWithProjection", "DPTForDepthEstimation", "DPTFeatureExtractor", "DPTImageProcessor",
    }),
    "stable_diffusion": frozenset({"StableDiffusionSafetyChecker"}),
}  # fmt: skip

PIPELINES = frozenset({
    "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline", "StableDiffusionInstructPix2PixPipeline",
    "StableDiffusionDepth2ImgPipeline", "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline",
    "StableDiffusionXLInstructPix2PixPipeline", "LatentConsistencyModelPipeline", "StableDiffusionUpscalePipeline",
})  # fmt: skip

# Other pipelines by the beginning of their class names, longer ones first: family, what people call it.
OTHERS: tuple[tuple[str, str, str], ...] = (
    ("StableUnCLIP", "sd2-unclip", "Stable Diffusion unCLIP"),
    ("StableVideoDiffusion", "svd", "Stable Video Diffusion"), ("StableDiffusion3", "sd3", "Stable Diffusion 3"),
    ("StableCascade", "cascade", "Stable Cascade"), ("Zero123", "zero123", "Zero123"),
    ("Flux2", "flux2", "Flux.2"), ("Flux", "flux1", "Flux.1"),
    ("Chroma", "chroma", "Chroma"), ("ZImage", "z-image", "Z-Image"), ("QwenImage", "qwen-image", "Qwen-Image"),
    ("Lumina", "lumina2", "Lumina"),
    ("Sana", "sana", "Sana"), ("PixArt", "pixart", "PixArt"), ("HiDream", "hidream", "HiDream"), ("AuraFlow", "auraflow", "AuraFlow"),
    ("Kolors", "kolors", "Kolors"), ("Wan", "wan", "Wan"), ("LTX", "ltx", "LTX Video"), ("HunyuanVideo", "hunyuan-video", "Hunyuan Video"),
    ("Krea2", "krea2", "Krea 2"),
)  # fmt: skip

XT_FRAMES, MOST_FRAMES = 25, 100
XT_11 = re.compile(r"1[._-]1(?!\d)")
X4_INPUTS = 7  # channels: the latents, and a small picture
X4_DEFAULTS: Mapping[str, object] = {"steps": 30, "guidance_scale": 9.0}
INPUTS = {4: "", 9: "inpaint", 8: "instruct", 5: "depth"}  # input channels of the UNet -> variant
PREDICTIONS = ("epsilon", "v_prediction")


def identify_folder(folder: Path) -> Identity:
    """Of a model in the diffusers layout. What it holds is checked when it is loaded; here only what it says of itself."""
    if not (folder / INDEX).exists() and (network := _network(folder)):
        return network
    index = read_json(folder / INDEX)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str):
        return Identity("checkpoint", supported=False, note="Its model_index.json cannot be read. Copy the folder again.")
    if pipeline not in PIPELINES:
        return _other(pipeline, folder)
    if stranger := _stranger(index):
        note = f"Its part {stranger} asks for code that is not Atelier's own, so it is not loaded."
        return Identity("checkpoint", supported=False, note=note)
    if part := _oversized(folder):
        note = f"Its {part}/config.json holds numbers that no network has, so it is not loaded."
        return Identity("checkpoint", supported=False, note=note)
    return _stable_diffusion(folder, index)


def network_kind(folder: Path) -> ModelKind | None:
    """Of a folder with one network that is listed as a whole; None for any other."""
    named = read_json(folder / CONFIG).get("_class_name")
    return CONTROL_CLASSES[named][0] if isinstance(named, str) and named in CONTROL_CLASSES else None


def _network(folder: Path) -> Identity | None:
    values = read_json(folder / CONFIG)
    found = control_folder(values)
    if found and _exceeds(values):
        note = f"Its {CONFIG} holds numbers that no network has, so it is not loaded."
        return Identity(found.kind, layout="diffusers", supported=False, note=note)
    return found


def read_json(file: Path) -> dict[str, object]:
    """A small JSON object; an empty one when there is none that can be read."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_JSON + 1)
        return table(json.loads(data)) if len(data) <= MOST_JSON else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _other(pipeline: str, folder: Path) -> Identity:
    for beginning, family, name in OTHERS:
        if pipeline.startswith(beginning):
            if family == SVD.key and not _oversized(folder):
                return video_identity("diffusers", folder.name, read_json(folder / "unet" / CONFIG).get("num_frames"))
            note = f"This is {name}. Atelier draws with Stable Diffusion 1, 2 and SDXL so far."
            return Identity("checkpoint", family, "", "diffusers", supported=False, note=note)
    return Identity("checkpoint", layout="diffusers", supported=False, note="This folder holds a kind of model that Atelier does not know.")


def _stranger(index: Mapping[str, object]) -> str:
    """The first part whose class is not on the list, made safe to show; "" when there is none."""
    for part, named in index.items():
        if not part.startswith("_") and is_list(named) and not _is_known(named):
            return "".join(char for char in part if char.isprintable())[:60] or "without a name"
    return ""


def _is_known(named: list[object]) -> bool:
    if named == [None, None]:
        return True
    names = [name for name in named if isinstance(name, str)]
    return len(named) == len(names) == 2 and names[1] in CLASSES.get(names[0], frozenset())


def _oversized(folder: Path) -> str:
    return next((part for part in NETWORKS if _exceeds(read_json(folder / part / "config.json"))), "")


def _exceeds(value: object) -> bool:
    """Whether a number anywhere in it is too large. Without recursion: the nesting is the author's."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if is_whole(item) and abs(item) > MOST_NUMBER:
            return True
        waiting.extend(item.values() if is_table(item) else listed(item))
    return False


def _stable_diffusion(folder: Path, index: Mapping[str, object]) -> Identity:
    unet, scheduler = read_json(folder / "unet" / "config.json"), read_json(folder / "scheduler" / "scheduler_config.json")
    inputs, prediction = unet.get("in_channels", 4), scheduler.get("prediction_type", "epsilon")
    if inputs == X4_INPUTS and is_whole(unet.get("num_class_embeds")) and prediction in PREDICTIONS and _has_three_levels(folder):
        return x4_identity("checkpoint", "diffusers", str(prediction))
    if not unet or not is_whole(inputs) or inputs not in INPUTS or prediction not in PREDICTIONS:
        note = "Its unet or scheduler folder does not say what Atelier needs to know, or says something that it does not know."
        return Identity("checkpoint", layout="diffusers", supported=False, note=note)
    family, is_zero = _family(index, unet), scheduler.get("rescale_betas_zero_snr") is True
    predicts_v = prediction == "v_prediction" and family != "sd1"
    variant = INPUTS[inputs] or ("lcm" if unet.get("time_cond_proj_dim") else "v" if predicts_v else "")
    return distilled(Identity("checkpoint", family, variant, "diffusers", prediction, is_zero), folder.name, {})


def video_variant(name: str, frames: object = None) -> str:
    """Of Stable Video Diffusion: "" for 14 frames, "xt" for 25, "xt 1.1" for those at 6 frames a second. All three have the same tensors,
    so the file's name says which; a folder says its frames as well.
    """
    is_long = frames == XT_FRAMES or "xt" in name.lower()
    return "" if not is_long else "xt 1.1" if XT_11.search(name) else "xt"


TRAINED: Mapping[str, Mapping[str, object]] = {  # by variant: request field -> what a video model was trained for
    "": {"frames": 14, "frames_a_second": 7, "width": 1024, "height": 576},
    "xt": {"frames": XT_FRAMES, "frames_a_second": 7, "width": 1024, "height": 576},
    "xt 1.1": {"frames": XT_FRAMES, "frames_a_second": 6, "motion": 127, "width": 1024, "height": 576},
}


def video_identity(layout: str, name: str, frames: object = None) -> Identity:
    """Of Stable Video Diffusion. `frames`: as for `video_variant`; a model of another number is none of the published ones."""
    variant = video_variant(name, frames)
    is_own = is_whole(frames) and 0 < frames <= MOST_FRAMES and frames != TRAINED[variant]["frames"]
    return Identity("checkpoint", SVD.key, variant, layout, defaults={"frames": frames} if is_own else TRAINED[variant])


def x4_identity(kind: ModelKind, layout: str, prediction_type: str = "v_prediction") -> Identity:
    """Of Stability's x4 upscaler."""
    return Identity(kind, X4_UPSCALER.key, "upscale", layout, prediction_type, defaults=X4_DEFAULTS)


def _has_three_levels(folder: Path) -> bool:
    """Of the VAE: one latent is 4 x 4 pixels."""
    return len(listed(read_json(folder / "vae" / "config.json").get("block_out_channels"))) == 3


def _family(index: Mapping[str, object], unet: Mapping[str, object]) -> str:
    """By the text encoders that are there; SD 1 and SD 2 by what the UNet reads, or how its attention is built."""
    has_first, has_second = (_is_there(index, part) for part in ("text_encoder", "text_encoder_2"))
    if has_second:
        return "sdxl" if has_first else "sdxl-refiner"
    width = unet.get("cross_attention_dim")
    if width in (768, 1024):
        return "sd1" if width == 768 else "sd2"
    return "sd2" if unet.get("use_linear_projection") is True else "sd1"


def _is_there(index: Mapping[str, object], part: str) -> bool:
    named = index.get(part)
    return is_list(named) and named != [None, None]
