"""What a checkpoint is, by its header: one test for each line of the table of signatures, on the names and shapes of real files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from models.files import Identity
from models.identify.distilled import FEW, NOT_DISTILLED, decided_defaults, distilled
from models.identify.identify import identify
from pipelines.samplers import SAMPLERS, resolve_schedule
from tests.support.headers import (  # fmt: skip
    FAMILIES,
    NOVEL_AI,
    UNET,
    VAE,
    Shapes,
    averaged,
    checkpoint,
    diffusers_unet,
    header,
    in_short,
    prefixed,
    shape_of,
    told,
    unet,
)

# ------------------------------------------------------------------------------------------------------------------ Stable Diffusion


@pytest.mark.parametrize("family", FAMILIES)
def test_a_whole_checkpoint_is_of_its_family(family: str) -> None:
    found = told(checkpoint(family))
    assert in_short(found) == ("checkpoint", family, "", True)
    assert found.layout == ("sgm" if family.startswith("sdxl") else "ldm")
    assert found.prediction_type == "epsilon" and not found.zero_terminal_snr and not found.note


@pytest.mark.parametrize(
    ("family", "inputs", "variant"),
    [
        ("sd1", 9, "inpaint"),
        ("sd1", 8, "instruct"),
        ("sd2", 9, "inpaint"),
        ("sd2", 5, "depth"),
        ("sdxl", 9, "inpaint"),
        ("sdxl", 8, "instruct"),
    ],
)
def test_input_channels_tell_the_variant(family: str, inputs: int, variant: str) -> None:
    assert in_short(told(checkpoint(family, inputs))) == ("checkpoint", family, variant, True)


def test_other_input_channels_are_not_taken_for_a_plain_model() -> None:
    assert in_short(told(checkpoint("sd1", 12))) == ("checkpoint", "sd1", "", False)
    assert in_short(told(checkpoint("sdxl-refiner", 9))) == ("checkpoint", "sdxl-refiner", "", False)


def test_the_older_names_of_the_text_encoder_make_no_difference() -> None:
    shapes = {**prefixed(UNET, unet("sd1")), **prefixed("first_stage_model.", VAE), **prefixed("cond_stage_model.transformer.", NOVEL_AI)}
    assert in_short(told(shapes)) == ("checkpoint", "sd1", "", True)


def test_averaged_weights_beside_the_plain_ones_make_no_difference() -> None:
    assert in_short(told({**checkpoint("sd1"), **averaged(unet("sd1"))})) == ("checkpoint", "sd1", "", True)


@pytest.mark.parametrize("family", FAMILIES)
def test_averaged_weights_alone_are_recognised(family: str) -> None:
    others = {name: shape for name, shape in checkpoint(family).items() if not name.startswith(UNET)}
    assert in_short(told({**others, **averaged(unet(family))})) == ("checkpoint", family, "", True)


def test_a_checkpoint_without_its_vae_is_still_one() -> None:
    shapes = {name: shape for name, shape in checkpoint("sd1").items() if not name.startswith("first_stage_model.")}
    assert in_short(told(shapes)) == ("checkpoint", "sd1", "", True)


@pytest.mark.parametrize("prefix", [UNET, "diffusion_model.", ""])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_unet_alone_is_recognised_under_any_prefix(prefix: str, family: str) -> None:
    assert in_short(told(prefixed(prefix, unet(family)))) == ("unet", family, "", True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_unet_in_the_names_of_diffusers_is_recognised(family: str) -> None:
    found = told(diffusers_unet(family, 4))
    assert (*in_short(found), found.layout) == ("unet", family, "", True, "diffusers")


def test_a_unet_in_the_names_of_diffusers_has_its_variant_too() -> None:
    assert in_short(told(diffusers_unet("sdxl", 9))) == ("unet", "sdxl", "inpaint", True)


# ------------------------------------------------------------------------------------------------------------ what the network predicts

V_BIAS = UNET + "output_blocks.11.1.transformer_blocks.0.norm1.bias"


def spread_of(numbers: list[float]) -> float:
    return float(torch.tensor(numbers).std(unbiased=False))


def with_spread(spread: float) -> list[float]:
    numbers = torch.randn(320, generator=torch.Generator().manual_seed(1))
    return ((numbers - numbers.mean()) / numbers.std(unbiased=False) * spread + 0.3).tolist()


@pytest.mark.parametrize(
    ("spread", "prediction"), [(0.03, "epsilon"), (0.0899, "epsilon"), (0.0901, "v_prediction"), (0.5, "v_prediction")]
)
def test_one_small_tensor_of_a_second_model_tells_what_it_predicts(spread: float, prediction: str) -> None:
    numbers = with_spread(spread)
    assert spread_of(numbers) == pytest.approx(spread, rel=1e-4)
    found = identify(header(checkpoint("sd2")), "model", lambda name: numbers if name == V_BIAS else [])
    assert found.prediction_type == prediction


def test_that_tensor_is_found_among_averaged_weights_too() -> None:
    asked: list[str] = []
    others = {name: shape for name, shape in checkpoint("sd2").items() if not name.startswith(UNET)}
    identify(header({**others, **averaged(unet("sd2"))}), "model", lambda name: asked.append(name) or [])
    assert asked == ["model_ema.diffusion_modeloutput_blocks111transformer_blocks0norm1bias"]


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sdxl-refiner"])
def test_no_other_family_is_asked_for_it(family: str) -> None:
    assert told(checkpoint(family), values=with_spread(1.0)).prediction_type == "epsilon"


@pytest.mark.parametrize("inputs", [9, 5])
def test_inpainting_and_depth_models_predict_noise(inputs: int) -> None:
    assert told(checkpoint("sd2", inputs), values=with_spread(1.0)).prediction_type == "epsilon"


def test_keys_of_their_own_tell_v_prediction_and_zero_terminal_snr() -> None:
    plain = told({**checkpoint("sdxl"), "v_pred": (0,)})
    zero = told({**checkpoint("sdxl"), "v_pred": (0,), "ztsnr": (0,)})
    assert [(each.prediction_type, each.variant, each.zero_terminal_snr) for each in (plain, zero)] == [
        ("v_prediction", "v", False), ("v_prediction", "v", True),
    ]  # fmt: skip
    assert dict(zero.defaults) == {"guidance_rescale": 0.7} and not plain.defaults


# ------------------------------------------------------------------------------------------------------------ models of a few steps


@pytest.mark.parametrize(
    ("name", "variant"),
    [("sd_xl_turbo_1.0_fp16", "turbo"), ("DreamShaperXL_Lightning-SFW", "lightning"), ("Juggernaut_RunDiffusionPhoto2_Lightning_4Steps",
        "lightning"),
     ("Hyper-SDXL-8steps", "hyper"), ("LCM_Dreamshaper_v7", "lcm"), ("turboVisionXL", ""),
     ("DreamShaperXL_Turbo_v2", "turbo mix"),
     ("dmd2_sdxl_4step", "dmd2"), ("sdxl-tcd", "tcd"), ("pcm_sdxl_smallcfg", "pcm"), ("flash_sdxl", "flash"),
     ("hyperrealism_v3", ""), ("calcmodel", ""),
         ("sdxl", "")],
)  # fmt: skip
def test_a_name_tells_models_of_a_few_steps(name: str, variant: str) -> None:
    found = told(checkpoint("sdxl"), name)
    assert (found.variant, bool(found.defaults)) == (variant, bool(variant))


def test_the_title_in_the_metadata_counts_as_a_name() -> None:
    assert told(checkpoint("sdxl"), "v10", {"modelspec.title": "SDXL Turbo"}).variant == "turbo"


def test_what_suits_them_are_values_that_a_request_accepts() -> None:
    from pipelines.requests.request import TextToImage
    from pipelines.requests.sampling import check_sampling

    for variant, way in FEW.items():
        resolve_schedule(str(way.settings["sampler"]), str(way.settings.get("schedule", "Automatic")))
        assert set(way.samplers) <= set(SAMPLERS) and way.settings["sampler"] == way.samplers[0], variant
    for name in ("sd-turbo", "turbo", "lightning", "hyper-sd", "lcm", "dmd2", "tcd", "pcm", "flash_sd", "hyper-sd 1step", "dmd2_1step"):
        defaults: Mapping[str, Any] = told(checkpoint("sdxl"), name).defaults
        request = TextToImage(**defaults)
        assert {field: getattr(request, field) for field in defaults} == dict(defaults)
        assert defaults["steps"] <= 8 and defaults["guidance_scale"] <= 2
        check_sampling(request)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("Hyper-SDXL-12steps-CFG-lora", {"steps": 12, "guidance_scale": 5.0}), ("sdxl_lightning_8step_lora", {"steps": 8, "sampler": "Euler"}),
     ("pcm_sd15_lcmlike_lora_converted", {"sampler": "LCM"}), ("pcm_sdxl_smallcfg_2step_converted", {"steps": 2, "guidance_scale": 1.5}),
     ("pcm_sdxl_normalcfg_16step_converted", {"steps": 16, "guidance_scale": 5.0}), ("dmd2_sdxl_4step_lora", {"schedule": "Simple"}),
     ("Hyper-SD15-1step-lora", {"steps": 1, "sampler": "TCD", "sigmas": "5.11"}), ("lcm-lora-sdv1-5", {"sampler": "LCM", "steps": 6})],
)  # fmt: skip
def test_a_lora_of_a_few_steps_brings_what_its_name_says(name: str, settings: dict[str, Any]) -> None:
    found = distilled(Identity("lora", "sdxl"), name, {})
    assert found.variant in FEW and settings.items() <= found.defaults.items()
    assert not distilled(Identity("lora", "sdxl"), "ink-v1", {}).defaults


def test_a_model_that_predicts_the_picture_in_one_step_is_named_and_refused() -> None:
    found = told(checkpoint("sdxl"), "sdxl_lightning_1step_x0")
    assert not found.supported and "one step" in found.note


def test_what_a_person_says_of_a_checkpoint_counts_before_its_name() -> None:
    found = told(checkpoint("sdxl"), "sdxl_lightning_4step")
    assert decided_defaults(found, NOT_DISTILLED, "") == {} and decided_defaults(found, "lcm", "")["sampler"] == "LCM"


def test_the_second_turbo_model_takes_one_step() -> None:
    assert told(checkpoint("sd2"), "sd_turbo").defaults["steps"] == 1


def test_an_inpainting_model_stays_one_whatever_its_name() -> None:
    assert told(checkpoint("sdxl", 9), "turbo-inpaint").variant == "inpaint"


def test_a_network_that_is_told_the_guidance_is_a_full_lcm_model() -> None:
    guided = {**checkpoint("sd1"), f"{UNET}time_embed.cond_proj.weight": (320, 256)}
    assert (told(guided).variant, told(guided).defaults["sampler"]) == ("lcm", "LCM")


# ---------------------------------------------------------------------------------------- relatives and newer families: not yet supported

POSITIONS = {"sd3": 36_864, "3.5m": 147_456}
SD3: Shapes = {"joint_blocks.0.context_block.attn.qkv.weight": (4608, 1536), "pos_embed": (1, POSITIONS["sd3"], 1536)}
FLUX: Shapes = {"double_blocks.0.img_attn.norm.key_norm.scale": (128,), "img_in.weight": (3072, 64)}
GUIDED: Shapes = {**FLUX, "guidance_in.in_layer.weight": (3072, 256)}
NOT_YET: dict[str, tuple[Shapes, str, str, str]] = {  # row -> header, name, family, variant
    "unCLIP L": (shape_of(4, 1024, 1536), "sd21-unclip-l", "sd2-unclip", "l"),
    "unCLIP H": (shape_of(4, 1024, 2048), "sd21-unclip-h", "sd2-unclip", "h"),
    "SSD-1B, Vega, KOALA": (shape_of(4, 2048, 2816), "ssd-1b", "sdxl-small", ""),
    "Playground 2.5": ({**shape_of(4, 2048, 2816), "edm_mean": (1,), "edm_std": (1,)}, "playground", "playground", ""),
    "SD3": (SD3, "sd3_medium", "sd3", "medium"),
    "SD3.5 medium": ({**SD3, "pos_embed": (1, POSITIONS["3.5m"], 1536)}, "sd3.5", "sd3", "3.5 medium"),
    "SD3.5 large": ({**SD3, "joint_blocks.37.x_block.mlp.fc1.weight": (9728, 2432)}, "sd3.5", "sd3", "3.5 large"),
    "Flux dev": (GUIDED, "flux1-dev", "flux1", "dev"),
    "Flux schnell": (FLUX, "flux1-schnell", "flux1", "schnell"),
    "Flux Fill": ({**GUIDED, "img_in.weight": (3072, 384)}, "fill", "flux1", "fill"),
    "Flux Canny": ({**GUIDED, "img_in.weight": (3072, 128)}, "canny", "flux1", "canny or depth"),
    "Flux Kontext": (GUIDED, "flux1-kontext-dev", "flux1", "kontext"),
    "Flux in the names of diffusers": ({"x_embedder.weight": (3072, 64), "single_transformer_blocks.0.attn.to_q.weight": (3072, 3072),
                                        "transformer_blocks.0.attn.add_k_proj.weight": (3072, 3072)}, "flux", "flux1", "schnell"),
    "Chroma": ({**FLUX, "distilled_guidance_layer.in_proj.bias": (5120,)}, "chroma", "chroma", ""),
    "Flux.2": ({"single_stream_modulation.lin.weight": (9, 3), "double_blocks.0.img_attn.norm.key_norm.scale": (128,)}, "flux2", "flux2",
        ""),
    "Flux.3": ({"early_stream_modulations.image.lin.weight": (9, 3), "ref_time_in.in_layer.weight": (3, 3)}, "flux3", "flux3", "distilled"),
    "Z-Image": ({"layers.0.adaLN_modulation.0.weight": (9, 256), "cap_embedder.0.weight": (2560,)}, "z_image_turbo", "z-image", ""),
    "Lumina 2": ({"cap_embedder.0.weight": (2304,), "layers.0.adaLN_modulation.1.weight": (9, 9)}, "lumina", "lumina2", ""),
    "Qwen-Image": ({"transformer_blocks.0.attn.add_k_proj.weight": (9, 9), "img_in.weight": (3072, 64)}, "qwen", "qwen-image", ""),
    "Qwen-Image 2.1": ({"transformer_blocks.0.attn.add_k_proj.weight": (9, 9), "img_in.weight": (9, 9), "txt_in.text_norm.weight": (9,)},
        "qwen",
                       "qwen-image", "2.1"),
    "Krea 2": ({"txtfusion.projector.weight": (9, 9)}, "krea2", "krea2", ""),
    "HiDream": ({"double_stream_blocks.0.block.adaLN_modulation.1.bias": (9,)}, "hidream", "hidream", ""),
    "Sana": ({"blocks.0.cross_attn.q_linear.weight": (9, 9), "attention_y_norm.weight": (9,)}, "sana", "sana", ""),
    "PixArt": ({"blocks.0.cross_attn.q_linear.weight": (9, 9), "pos_embed": (1, 9, 9)}, "pixart", "pixart", ""),
    "AuraFlow": ({"double_layers.0.attn.w1q.weight": (9, 9), "cond_seq_linear.weight": (9, 9)}, "pony7", "auraflow", ""),
    "Wan": ({"head.modulation": (1, 2, 9), "blocks.0.cross_attn.k.weight": (9, 9)}, "wan", "wan", ""),
    "LTX": ({"patchify_proj.weight": (9, 9)}, "ltx", "ltx", ""),
    "Hunyuan Video": ({"txt_in.individual_token_refiner.blocks.0.norm1.weight": (9,), "double_blocks.0.img_attn_qkv.weight": (9, 9)}, "hy",
                      "hunyuan-video", ""),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "variant", "frames", "pace"), [("svd", "", 14, 7), ("svd_xt", "xt", 25, 7), ("svd-xt-1-1", "xt 1.1", 25, 6)]
)
def test_a_video_model_says_what_it_was_trained_for(name: str, variant: str, frames: int, pace: int) -> None:
    found = told({**shape_of(8, 1024, 768), f"{UNET}input_blocks.1.1.time_stack.0.attn1.to_k.weight": (320, 320)}, name)
    assert in_short(found) == ("checkpoint", "svd", variant, True)
    assert (found.defaults["frames"], found.defaults["frames_a_second"]) == (frames, pace)


@pytest.mark.parametrize(
    ("name", "variant", "convention", "guidance"), [("zero123", "", "Distance", 3.0), ("Stable_Zero123_C", "stable", "Elevation", 3.0)]
)
def test_a_model_that_turns_things_is_told_by_its_projection_and_its_numbers_by_its_name(
    name: str, variant: str, convention: str, guidance: float
) -> None:
    found = told({**shape_of(8), "cc_projection.weight": (768, 772)}, name)
    assert in_short(found) == ("checkpoint", "zero123", variant, True)
    assert (found.defaults["side"], found.defaults["convention"], found.defaults["guidance_scale"]) == (256, convention, guidance)


@pytest.mark.parametrize(("width", "kind"), [(256, "u"), (1280, "p")])
def test_a_model_of_walks_is_told_by_what_is_added_to_its_time(width: int, kind: str) -> None:
    found = told({**shape_of(8, 1024, width), f"{UNET}input_blocks.1.1.time_stack.0.attn1.to_k.weight": (320, 320)}, "any name")
    assert in_short(found) == ("checkpoint", "sv3d", kind, True)
    assert (found.defaults["side"], found.defaults["views"], found.defaults["convention"]) == (576, 21, "Walk")


@pytest.mark.parametrize("row", NOT_YET)
def test_other_families_are_named_and_never_mistaken(row: str) -> None:
    shapes, name, family, variant = NOT_YET[row]
    found = told(shapes, name)
    assert in_short(found) == ("checkpoint", family, variant, False)
    assert found.note.endswith(".") and "Atelier" in found.note


@pytest.mark.parametrize("row", ["SD3", "Flux dev", "Chroma", "Qwen-Image", "Z-Image", "Wan"])
@pytest.mark.parametrize("prefix", [UNET, "diffusion_model.", "transformer."])
def test_what_programs_put_before_the_names_makes_no_difference(row: str, prefix: str) -> None:
    shapes, name, family, variant = NOT_YET[row]
    assert in_short(told(prefixed(prefix, shapes), name)) == ("checkpoint", family, variant, False)


@pytest.mark.parametrize("shape", [(), (0,), (2**40, 1), (1, 1, 1, 1, 1, 1)])
def test_no_shape_of_a_telling_tensor_breaks_the_reading(shape: tuple[int, ...]) -> None:
    for name in {name for shapes, *_ in NOT_YET.values() for name in shapes}:
        told({name: shape})
        told({**shape_of(), name: shape})


def test_any_one_tensor_missing_does_not_break_the_reading() -> None:
    shapes = shape_of(4, 2048, 2816)
    for missing in shapes:
        told({name: shape for name, shape in shapes.items() if name != missing})


# ------------------------------------------------------------------------------------------------------------------ the x4 upscaler

X4: Shapes = {
    **shape_of(7, 1024, 0, 256),
    f"{UNET}label_emb.weight": (1000, 1024),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    "cond_stage_model.model.ln_final.weight": (1024,),
}


def test_the_x4_upscaler_is_known_by_its_channels_its_noise_levels_and_its_vae() -> None:
    found = told(X4, "any name")
    assert in_short(found) == ("checkpoint", "x4-upscaler", "upscale", True)
    assert (found.layout, found.prediction_type, found.defaults["guidance_scale"]) == ("ldm", "v_prediction", 9.0)
    other = {
        "label_emb": {**X4, f"{UNET}label_emb.weight": ()},
        "vae": {**X4, "first_stage_model.decoder.up.3.block.0.conv1.weight": (512,)},
    }
    del other["label_emb"][f"{UNET}label_emb.weight"]
    for shapes in other.values():
        assert in_short(told(shapes, "x4-upscaler"))[3] is False
