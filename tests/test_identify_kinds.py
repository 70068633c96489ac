"""What goes with a checkpoint, by its header: one test for each kind, family and layout, and for headers that make no sense."""

from __future__ import annotations

import pytest

from models.tensors.signature import Signature
from tests.support.headers import CLIP_G, CLIP_L, VAE, Shapes, checkpoint, header, in_short, kohya_lora, prefixed, told

# ---------------------------------------------------------------------------------------------------------------------- other kinds


def diffusers_vae() -> Shapes:
    return {"encoder.conv_in.weight": (128, 3, 3, 3), "decoder.conv_in.weight": (512, 4, 3, 3), "decoder.conv_out.weight": (3, 128, 3, 3),
            "decoder.up_blocks.0.resnets.0.conv1.weight": (512, 512, 3, 3)}  # fmt: skip


DOWN_UNET = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
CONTROL = {"input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": (320, 768), "input_hint_block.0.weight": (16, 3, 3, 3),
           "input_blocks.0.0.weight": (320, 4, 3, 3)}  # fmt: skip
XL_CONTROL: Shapes = {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), "conv_in.weight": (320, 4, 3, 3),
                      "time_embedding.linear_1.weight": (1280, 320), "add_embedding.linear_1.weight": (1280, 2816),
                      "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": (640, 2048)}  # fmt: skip
SMALL_XL = {name: shape for name, shape in XL_CONTROL.items() if "attn2" not in name}
CONTROL_LORA: Shapes = {"lora_controlnet": (0,), "input_hint_block.0.weight": (16, 3, 3, 3), "input_blocks.0.0.up": (320, 128, 1, 1),
                        "input_blocks.2.1.transformer_blocks.0.attn2.to_k.up": (320, 128)}  # fmt: skip
LORA_WIDTH = "input_blocks.2.1.transformer_blocks.0.attn2.to_k.down"
CHANNELS = (320, 640, 1280, 1280)
T2I = {f"body.{2 * block + layer}.block1.weight": (width, width, 3, 3) for block, width in enumerate(CHANNELS) for layer in (0, 1)}
DIFFUSERS_T2I = {f"adapter.body.{block}.resnets.0.block1.weight": (width, width, 3, 3) for block, width in enumerate(CHANNELS)}
LIGHT_T2I: Shapes = {"body.0.in_conv.weight": (80, 192, 1, 1), "body.0.body.0.block1.weight": (80, 80, 3, 3),
                     **{f"body.{block}.out_conv.weight": (width, width // 4, 1, 1) for block, width in enumerate(CHANNELS)}}  # fmt: skip
OTHER_KINDS: dict[str, tuple[Shapes, tuple[str, str, str, bool]]] = {  # row -> header, (kind, family, variant, supported)
    "VAE": (VAE, ("vae", "", "", True)),
    "VAE with a prefix": (prefixed("first_stage_model.", VAE), ("vae", "", "", True)),
    "VAE with what it was trained by": ({**VAE, "loss.logvar": (), "loss.discriminator.main.0.weight": (64, 3, 4, 4)}, ("vae", "", "",
        True)),
    "VAE in the names of diffusers": (diffusers_vae(), ("vae", "", "", True)),
    "VAE of SD3 and Flux": ({**VAE, "decoder.conv_in.weight": (512, 16, 3, 3)}, ("vae", "", "16 channels", False)),
    "VAE of Flux.2": ({**VAE, "decoder.conv_in.weight": (512, 32, 3, 3)}, ("vae", "", "32 channels", False)),
    "TAESD": ({"encoder.layers.0.weight": (64, 3, 3, 3), "decoder.layers.0.weight": (64, 4, 3, 3)}, ("vae", "", "taesd", False)),
    "ControlNet": (prefixed("control_model.", CONTROL), ("controlnet", "sd1", "", True)),
    "ControlNet without a prefix": (CONTROL, ("controlnet", "sd1", "", True)),
    "ControlNet of SD2": ({**CONTROL, "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": (320, 1024)},
                          ("controlnet", "sd2", "", True)),
    "ControlNet in a whole checkpoint": ({**checkpoint("sd1"), **prefixed("control_model.", CONTROL)}, ("controlnet", "sd1", "", True)),
    "ControlNet in the names of diffusers": (XL_CONTROL, ("controlnet", "sdxl", "", True)),
    "ControlNet of SDXL without attention": (SMALL_XL, ("controlnet", "sdxl", "", True)),
    "ControlNet of another width": ({**CONTROL, "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": (64, 160)},
                                    ("controlnet", "", "width 160", True)),
    "ControlNet that says nothing": ({"input_hint_block.0.weight": (16, 3, 3, 3), "zero_convs.0.0.weight": (64, 64, 1, 1)},
                                     ("controlnet", "", "", False)),
    "ControlNet of Kolors": ({**XL_CONTROL, "add_embedding.linear_1.weight": (1280, 5632)}, ("controlnet", "", "", False)),
    "ControlNet stored as a difference": ({**prefixed("control_model.", CONTROL), "difference": (0,)},
                                          ("controlnet", "", "difference", False)),
    "ControlNet union": ({**XL_CONTROL, "task_embedding": (8, 320)}, ("controlnet", "sdxl", "union", True)),
    "Control-LoRA": ({**CONTROL_LORA, LORA_WIDTH: (128, 2048)}, ("controlnet", "sdxl", "control-lora", True)),
    "Control-LoRA of SD1": ({**CONTROL_LORA, LORA_WIDTH: (128, 768)}, ("controlnet", "sd1", "control-lora", True)),
    "Control-LoRA of another width": ({**CONTROL_LORA, LORA_WIDTH: (128, 160)}, ("controlnet", "", "control-lora width 160", True)),
    "Control-LoRA that says nothing": (CONTROL_LORA, ("controlnet", "", "control-lora", False)),
    "Control-LoRA of PEFT": ({**XL_CONTROL, "down_blocks.0.resnets.0.conv1.lora_A.weight": (4, 320, 3, 3)},
                             ("controlnet", "", "control-lora", False)),
    "LLLite": ({"lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight": (9, 9)}, ("controlnet", "sdxl", "lllite",
        False)),
    "ControlNet-XS": ({**XL_CONTROL, "control_to_base_for_conv_in.weight": (320, 320, 1, 1)}, ("controlnet", "", "xs", False)),
    "ControlNet of Flux": ({"controlnet_blocks.0.weight": (3072, 3072), "controlnet_x_embedder.weight": (3072, 64), "x_embedder.weight":
        (3072, 64), "single_transformer_blocks.0.attn.to_q.weight": (3072, 3072)}, ("controlnet", "", "newer", False)),
    "SparseCtrl": ({**XL_CONTROL, "down_blocks.0.motion_modules.0.temporal_transformer.norm.bias": (320,)},
                   ("controlnet", "", "sparse", False)),
    "T2I-Adapter": ({**T2I, "conv_in.weight": (320, 192, 3, 3)}, ("adapter", "sd1", "t2i-adapter", True)),
    "T2I-Adapter for grey pictures": ({**T2I, "conv_in.weight": (320, 64, 3, 3)}, ("adapter", "sd1", "t2i-adapter", True)),
    "T2I-Adapter, light": (LIGHT_T2I, ("adapter", "sd1", "t2i-adapter", True)),
    "T2I-Adapter of SDXL": ({**DIFFUSERS_T2I, "adapter.conv_in.weight": (320, 768, 3, 3)}, ("adapter", "sdxl", "t2i-adapter", True)),
    "T2I-Adapter of another size": ({**T2I, "conv_in.weight": (320, 48, 3, 3)}, ("adapter", "", "t2i-adapter", False)),
    "style adapter": ({"style_embedding": (1, 8, 1024), "transformer_layes.0.attn.in_proj_weight": (3072, 1024), "proj": (1024, 768)},
                      ("adapter", "", "style", False)),
    "IP-Adapter": ({"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)},
                   ("adapter", "sd1", "ip-adapter", True)),
    "IP-Adapter plus of SDXL": ({"image_proj.latents": (1, 16, 1280), "ip_adapter.1.to_k_ip.weight": (640, 2048)},
                                ("adapter", "sdxl", "ip-adapter", True)),
    "IP-Adapter of another width": ({"image_proj.latents": (1, 16, 128), "ip_adapter.1.to_k_ip.weight": (64, 160)},
                                    ("adapter", "", "ip-adapter width 160", True)),
    "IP-Adapter for faces": ({"image_proj.proj.0.weight": (1024, 512), "ip_adapter.1.to_k_ip.weight": (320, 768),
                              "ip_adapter.0.to_q_lora.down.weight": (128, 320)}, ("adapter", "sd1", "ip-adapter", False)),
    "IP-Adapter full face": ({"image_proj.proj.3.weight": (768,), "ip_adapter.1.to_k_ip.weight": (320, 768)},
                             ("adapter", "sd1", "ip-adapter", False)),
    "motion module": ({"down_blocks.0.motion_modules.0.temporal_transformer.norm.bias": (320,)}, ("adapter", "", "motion", False)),
    "embedding": ({"emb_params": (8, 768)}, ("embedding", "sd1", "", True)),
    "embedding of SD2": ({"emb_params": (8, 1024)}, ("embedding", "sd2", "", True)),
    "embedding of SDXL": ({"clip_l": (8, 768), "clip_g": (8, 1280)}, ("embedding", "sdxl", "", True)),
    "embedding under its own name": ({"<cat-toy>": (1, 768)}, ("embedding", "sd1", "", True)),
    "embedding of one vector": ({"<cat-toy>": (768,)}, ("embedding", "sd1", "", True)),
    "embedding as first saved": ({"string_to_param.*": (2, 768)}, ("embedding", "sd1", "", True)),
    "embedding of another width": ({"emb_params": (2, 160)}, ("embedding", "", "width 160", True)),
    "embedding of 10,000 vectors": ({"emb_params": (10_000, 768)}, ("embedding", "sd1", "", False)),
    "hypernetwork": ({f"{width}.{place}.linear.0.weight": (2 * width, width) for width in (320, 640, 768, 1280) for place in (0, 1)},
                     ("hypernetwork", "sd1", "", True)),
    "hypernetwork of SD2": ({"1024.0.linear.0.weight": (2048, 1024), "1024.1.linear.0.weight": (2048, 1024)}, ("hypernetwork", "sd2", "",
        True)),
    "hypernetwork of another width": ({"160.0.linear.0.weight": (320, 160)}, ("hypernetwork", "", "width 160", True)),
    "CLIP-L": (CLIP_L, ("text_encoder", "", "clip_l", False)),
    "CLIP-G": (CLIP_G, ("text_encoder", "", "clip_g", False)),
    "T5": ({"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}, ("text_encoder", "", "t5", False)),
    "Qwen": ({"model.layers.0.self_attn.q_proj.weight": (9, 9), "model.embed_tokens.weight": (9, 9)}, ("text_encoder", "",
        "language model", False)),
    "CLIP vision": ({"vision_model.embeddings.class_embedding": (1280,), "visual_projection.weight": (1024, 1280)},
                    ("text_encoder", "", "vision", True)),
    "CLIP vision in part": ({"vision_model.embeddings.class_embedding": (1024,)}, ("text_encoder", "", "vision", False)),
    "something else": ({"weight": (3, 3), "bias": (3,)}, ("unknown", "", "", False)),
    "nothing": ({}, ("unknown", "", "", False)),
}  # fmt: skip


@pytest.mark.parametrize("row", OTHER_KINDS)
def test_each_kind_is_told_from_the_others(row: str) -> None:
    shapes, expected = OTHER_KINDS[row]
    found = told(shapes)
    assert in_short(found) == expected
    assert bool(found.note) == (not found.supported)


def test_the_vectors_of_an_embedding_are_counted() -> None:
    rows = ("embedding", "embedding of SDXL", "embedding of one vector", "embedding as first saved", "ControlNet union")
    assert [told(OTHER_KINDS[row][0]).vectors for row in rows] == [8, 8, 1, 2, 0]


# ---------------------------------------------------------------------------------------------------------------------------- LoRAs

TE = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
XL = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
SUPPORTED_LORAS: dict[str, tuple[Shapes, str, str]] = {  # row -> header, family, variant
    "kohya, SD1": (kohya_lora({DOWN_UNET: (320, 768), TE: (768, 768)}), "sd1", ""),
    "kohya, SD2": (kohya_lora({DOWN_UNET: (320, 1024)}), "sd2", ""),
    "kohya, SDXL": (kohya_lora({XL: (640, 2048), "lora_te1_text_model_encoder_layers_0_mlp_fc1": (9, 768)}), "sdxl", ""),
    "kohya, refiner": (kohya_lora({XL: (768, 1280)}), "sdxl-refiner", ""),
    "kohya, another width": (kohya_lora({DOWN_UNET: (64, 160)}), "", "width 160"),
    "text encoder only, SD1": (kohya_lora({TE: (768, 768)}), "sd1", ""),
    "text encoder only, SD2": (kohya_lora({TE: (1024, 1024)}), "sd2", ""),
    "text encoders only, SDXL": (kohya_lora({TE.replace("te", "te1", 1): (768, 768)}), "sdxl", ""),
    "SDXL by its depth": (kohya_lora({"lora_unet_down_blocks_2_attentions_0_transformer_blocks_9_attn1_to_q": (1280, 1280)}), "sdxl", ""),
    "PEFT, SD1": ({"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": (4, 768),
                   "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight": (320, 4)}, "sd1", ""),
    "PEFT, SDXL": ({"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v.lora_A.weight": (4, 2048),
                    "text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight": (4, 1280)}, "sdxl", ""),
    "older diffusers": ({"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight": (4, 768),
                         "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.up.weight": (320, 4)}, "sd1", ""),
    "LoHa": ({f"{DOWN_UNET}.hada_w1_a": (320, 4), f"{DOWN_UNET}.hada_w1_b": (4, 768), f"{DOWN_UNET}.hada_w2_a": (320, 4)}, "sd1", ""),
    "LoKr": ({f"{DOWN_UNET}.lokr_w1": (16, 16), f"{DOWN_UNET}.lokr_w2": (20, 48)}, "sd1", ""),
    "LoKr in parts": ({f"{XL}.lokr_w1_a": (16, 4), f"{XL}.lokr_w1_b": (4, 32), f"{XL}.lokr_w2_a": (40, 4), f"{XL}.lokr_w2_b": (4, 64)},
        "sdxl", ""),
    "full difference": ({f"{DOWN_UNET}.diff": (320, 1024)}, "sd2", ""),
    "DoRA": ({**kohya_lora({DOWN_UNET: (320, 768)}), f"{DOWN_UNET}.dora_scale": (320, 1)}, "sd1", ""),
    "with embeddings in it": ({**kohya_lora({DOWN_UNET: (320, 768)}), "bundle_emb.word.string_to_param.*": (2, 768)}, "sd1", ""),
    "one that says nothing": (kohya_lora({"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q": (1280, 1280)}), "", ""),
}  # fmt: skip


@pytest.mark.parametrize("row", SUPPORTED_LORAS)
def test_a_lora_is_of_the_family_whose_widths_it_has(row: str) -> None:
    shapes, family, variant = SUPPORTED_LORAS[row]
    assert in_short(told(shapes)) == ("lora", family, variant, True)


@pytest.mark.parametrize(
    ("key", "value", "family"),
    [("ss_base_model_version", "sd_v1", "sd1"), ("ss_base_model_version", "sdxl_base_v1-0", "sdxl"), ("ss_base_model_version",
        "sd_v2_768_v", "sd2"),
     ("modelspec.architecture", "stable-diffusion-v1/lora", "sd1"), ("modelspec.architecture", "stable-diffusion-xl-v1-base/lora", "sdxl"),
     ("ss_base_model_version", "unheard-of", "")],
)  # fmt: skip
def test_where_widths_say_nothing_the_training_program_is_believed(key: str, value: str, family: str) -> None:
    assert told(SUPPORTED_LORAS["one that says nothing"][0], metadata={key: value}).family == family


def test_widths_count_more_than_what_the_metadata_claim() -> None:
    assert told(SUPPORTED_LORAS["kohya, SD1"][0], metadata={"ss_base_model_version": "sdxl_base_v1-0"}).family == "sd1"


OTHER_LORAS: dict[str, tuple[Shapes, str]] = {
    "Flux, kohya": (kohya_lora({"lora_unet_double_blocks_0_img_attn_proj": (9, 9),
        "lora_te1_text_model_encoder_layers_0_mlp_fc1": (9, 768)}), "flux1"),
    "Flux, PEFT": ({"transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight": (4, 3072)}, "flux1"),
    "SD3": (kohya_lora({"lora_unet_joint_blocks_0_x_block_attn_qkv": (9, 9)}), "sd3"),
    "Qwen-Image": ({"transformer_blocks.0.attn.add_k_proj.lora_A.weight": (4, 3072)}, "newer"),
    "Z-Image": ({"diffusion_model.layers.0.attention.qkv.lora_A.weight": (4, 3840)}, "newer"),
    "OFT": ({f"{DOWN_UNET}.oft_blocks": (4, 80, 80)}, ""),
    "IA3": ({f"{DOWN_UNET}.on_input": (), f"{DOWN_UNET}.weight": (768,)}, ""),
    "GLoRA": ({f"{DOWN_UNET}.a1.weight": (9, 9), f"{DOWN_UNET}.b1.weight": (9, 9)}, ""),
}  # fmt: skip


@pytest.mark.parametrize("row", OTHER_LORAS)
def test_loras_that_cannot_be_used_say_so(row: str) -> None:
    shapes, family = OTHER_LORAS[row]
    assert in_short(told(shapes)) == ("lora", family, "", False)


# ------------------------------------------------------------------------------------------------------------------ odd and hostile


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2**40, 1), (1, 1, 1, 1, 1, 1)])
def test_no_shape_of_a_telling_tensor_breaks_the_reading(shape: tuple[int, ...]) -> None:
    names = {name for shapes, *_ in (*OTHER_KINDS.values(), *SUPPORTED_LORAS.values()) for name in shapes}
    for name in names:
        told({name: shape})
    told(dict.fromkeys(names, shape))


def test_a_signature_of_nothing_has_no_answers() -> None:
    nothing = Signature(header({}))
    assert (nothing.unet_prefix, nothing.context, nothing.unet_inputs, nothing.unet_classes) == (None, 0, 0, 0)
