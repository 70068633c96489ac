"""Pictures and texts as other programs write them, each with the same settings: a lighthouse, no fog, seed 4711."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin

WORDS, NEGATIVE, SEED, STEPS, GUIDANCE = "a lighthouse, 雪", "fog", 4711, 24, 6.5
WIDTH, HEIGHT = 512, 640
SHA = "0123456789abcdef" * 4


def png(texts: dict[str, str], size: tuple[int, int] = (16, 24), mode: str = "RGB") -> bytes:
    """Texts as Pillow's `add_text` writes them: Latin-1 as tEXt, the rest as iTXt."""
    info, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_text(name, text)
    Image.new(mode, size).save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def with_exif(kind: str, tags: dict[int, str | bytes], **more: Any) -> bytes:
    exif, stream = Image.Exif(), io.BytesIO()
    for tag, value in tags.items():
        (exif.get_ifd(ExifTags.IFD.Exif) if tag == ExifTags.Base.UserComment else exif)[tag] = value
    Image.new("RGB", (16, 24)).save(stream, kind, exif=exif.tobytes(), **more)
    return stream.getvalue()


def comment(text: str) -> bytes:
    """As piexif and A1111 write it."""
    return b"UNICODE\0" + text.encode("utf-16-be")


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


def comfy_graph(**changes: Any) -> dict[str, Any]:
    """ComfyUI's default graph (its "prompt"), as its API format has it."""
    sampler = {
        "seed": SEED, "steps": STEPS, "cfg": GUIDANCE, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0,
        "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
    }  # fmt: skip
    return {
        "3": node("KSampler", **(sampler | changes)),
        "4": node("CheckpointLoaderSimple", ckpt_name="meadow.safetensors"),
        "5": node("EmptyLatentImage", width=WIDTH, height=HEIGHT, batch_size=1),
        "6": node("CLIPTextEncode", text=WORDS, clip=["4", 1]),
        "7": node("CLIPTextEncode", text=NEGATIVE, clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }


def comfy_workflow() -> dict[str, Any]:
    """The same, as its editor keeps it."""

    def widget_node(number: int, kind: str, links: dict[str, int], *values: Any, mode: int = 0) -> dict[str, Any]:
        inputs = [{"name": name, "type": name.upper(), "link": link} for name, link in links.items()]
        return {"id": number, "type": kind, "mode": mode, "inputs": inputs, "outputs": [{"type": "MODEL"}], "widgets_values": [*values]}

    rows = [[1, 10, 0, 3, 0, "MODEL"], [2, 5, 0, 3, 3, "LATENT"], [4, 6, 0, 3, 1, "CONDITIONING"], [6, 7, 0, 3, 2, "CONDITIONING"]]
    rows += [[7, 3, 0, 8, 0, "LATENT"], [9, 8, 0, 9, 0, "IMAGE"], [10, 4, 0, 10, 0, "MODEL"]]
    nodes = [
        widget_node(3, "KSampler", {"model": 1, "positive": 4, "negative": 6, "latent_image": 2},
                    SEED, "randomize", STEPS, GUIDANCE, "dpmpp_2m", "karras", 1),
        widget_node(4, "CheckpointLoaderSimple", {}, "meadow.safetensors"), widget_node(5, "EmptyLatentImage", {}, WIDTH, HEIGHT, 1),
        widget_node(6, "CLIPTextEncode", {}, WORDS), widget_node(7, "CLIPTextEncode", {}, NEGATIVE),
        widget_node(8, "VAEDecode", {"samples": 7}), widget_node(9, "SaveImage", {"images": 9}, "ComfyUI"),
        widget_node(10, "LoraLoaderModelOnly", {"model": 10}, "switched off.safetensors", 1.0, mode=4),
    ]  # fmt: skip
    return {"last_node_id": 10, "nodes": nodes, "links": rows, "version": 0.4}


A1111 = (
    f"{WORDS}\nNegative prompt: {NEGATIVE}\nSteps: {STEPS}, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: {GUIDANCE}, "
    f"Seed: {SEED}, Size: {WIDTH}x{HEIGHT}, Model hash: {SHA[:10]}, Model: meadow, Version: "
)
SD_NEXT = (
    f"{WORDS}\nNegative prompt: {NEGATIVE}\nSteps: {STEPS}, Size: {WIDTH}x{HEIGHT}, Sampler: DPM++ 2M Karras, Seed: {SEED}, "
    f"CFG scale: {GUIDANCE}, Model: meadow, Model hash: {SHA[:10]}, App: SD.Next, Version: ab12cd3, Operations: txt2img"
)
KRITA = (
    f"{WORDS}\nNegative prompt: {NEGATIVE}\nSteps: {STEPS}, Sampler: DPM++ 2M Karras, CFG scale: {GUIDANCE}, Seed: {SEED}, "
    f"Size: {WIDTH}x{HEIGHT}, Model hash: unknown, Model: meadow"
)
INVOKE = {
    "generation_mode": "txt2img", "positive_prompt": WORDS, "negative_prompt": NEGATIVE, "width": WIDTH, "height": HEIGHT, "seed": SEED,
    "rand_device": "cpu", "cfg_scale": GUIDANCE, "cfg_rescale_multiplier": 0, "steps": STEPS, "scheduler": "dpmpp_2m_k", "clip_skip": 0,
    "model": {"key": "0aa9…", "hash": f"blake3:{SHA}", "name": "meadow", "base": "sd-1", "type": "main"},
    "loras": [{"model": {"name": "ink", "hash": "", "type": "lora"}, "weight": 0.5}], "app_version": "5.6.0", "seamless_x": True,
}  # fmt: skip
INVOKE_3 = INVOKE | {
    "model": {"model_name": "meadow", "base_model": "sd-1", "model_type": "main"}, "app_version": "3.3.0post3",
    "loras": [{"lora": {"model_name": "ink", "base_model": "sd-1"}, "weight": 0.5}],
}  # fmt: skip
INVOKE_2 = {
    "model": "stable diffusion", "model_weights": "meadow", "model_hash": SHA, "app_id": "invoke-ai/InvokeAI", "app_version": "v2.3.5",
    "image": {
        "prompt": [{"prompt": f"{WORDS} [{NEGATIVE}]", "weight": 1.0}], "steps": STEPS, "cfg_scale": GUIDANCE, "threshold": 0, "perlin": 0,
        "width": WIDTH, "height": HEIGHT, "seed": SEED, "type": "txt2img", "sampler": "k_dpmpp_2m", "variations": [], "hires_fix": False,
    },
}  # fmt: skip
DREAM = f'"{WORDS} [{NEGATIVE}]" -s {STEPS} -S {SEED} -W {WIDTH} -H {HEIGHT} -C {GUIDANCE} -A k_dpmpp_2m'
FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "meadow", "base_model_hash": SHA[:10], "full_negative_prompt": [NEGATIVE],
    "full_prompt": [WORDS, "cinematic"], "guidance_scale": GUIDANCE, "lora_combined_1": "ink : 0.5", "loras": [["ink", 0.5, SHA[:10]]],
    "metadata_scheme": "fooocus", "negative_prompt": NEGATIVE, "performance": "Speed", "prompt": WORDS, "refiner_model": "None",
    "refiner_switch": 0.5, "resolution": f"({WIDTH}, {HEIGHT})", "sampler": "dpmpp_2m", "scheduler": "karras", "seed": str(SEED),
    "sharpness": 2.0, "steps": STEPS, "styles": "['Fooocus V2']", "vae": "Default (model)", "version": "Fooocus v2.5.5",
}  # fmt: skip
FOOOCUS_LABELS = {
    "Prompt": WORDS, "Negative Prompt": NEGATIVE, "Steps": STEPS, "Guidance Scale": GUIDANCE, "Seed": SEED, "Sampler": "dpmpp_2m",
    "Scheduler": "karras", "Resolution": f"({WIDTH}, {HEIGHT})", "Base Model": "meadow.safetensors", "LoRA 1": "ink.safetensors : 0.5",
}  # fmt: skip
FOOOCUS_TEXT = (
    f"{WORDS}, cinematic\nNegative prompt: {NEGATIVE}\nSteps: {STEPS}, Sampler: DPM++ 2M Karras, Seed: {SEED}, Size: {WIDTH}x{HEIGHT}, "
    f'CFG scale: {GUIDANCE}, Sharpness: 2.0, ADM Guidance: "(1.5, 0.8, 0.3)", Model: meadow, Model hash: {SHA[:10]}, Performance: Speed, '
    f'Scheduler: karras, Lora hashes: "ink: {SHA[:10]}", Lora weights: "ink: 0.5", Version: Fooocus v2.5.5'
)
NOVELAI = {
    "prompt": WORDS, "steps": STEPS, "height": HEIGHT, "width": WIDTH, "scale": GUIDANCE, "uncond_scale": 0.0, "cfg_rescale": 0.0,
    "seed": SEED, "n_samples": 1, "noise_schedule": "karras", "sampler": "k_dpmpp_2m", "sm": False, "sm_dyn": False, "uc": NEGATIVE,
    "request_type": "PromptGenerateRequest", "signed_hash": "bm8gcmVhbCBvbmU=",
}  # fmt: skip
NOVELAI_TEXTS = {
    "Title": "AI generated image", "Description": WORDS, "Software": "NovelAI", "Source": "NovelAI Diffusion V4 37442FCA",
    "Comment": json.dumps(NOVELAI, ensure_ascii=False),
}  # fmt: skip
SWARM = {
    "sui_image_params": {
        "prompt": WORDS, "negativeprompt": NEGATIVE, "model": "meadow", "seed": SEED, "steps": STEPS, "cfgscale": GUIDANCE,
        "aspectratio": "Custom", "width": WIDTH, "height": HEIGHT, "sampler": "dpmpp_2m", "scheduler": "karras", "loras": ["ink"],
        "loraweights": ["0.5"], "swarm_version": "0.9.5.1",
    },
    "sui_models": [{"name": "meadow.safetensors", "param": "model", "hash": f"0x{SHA}"}],
}  # fmt: skip
EASY = {
    "prompt": WORDS, "negative_prompt": NEGATIVE, "seed": SEED, "use_stable_diffusion_model": "meadow", "clip_skip": False,
    "use_vae_model": None, "sampler_name": "dpmpp_2m", "width": WIDTH, "height": HEIGHT, "num_inference_steps": STEPS,
    "guidance_scale": GUIDANCE, "use_lora_model": ["ink"], "lora_alpha": [0.5], "tiling": "x",
}  # fmt: skip
EASY_LABELS = {
    "Prompt": WORDS, "Negative Prompt": NEGATIVE, "Seed": SEED, "Stable Diffusion model": "meadow", "Sampler": "dpmpp_2m", "Width": WIDTH,
    "Height": HEIGHT, "Steps": STEPS, "Guidance Scale": GUIDANCE, "LoRA model": "ink", "LoRA Strength": 0.5,
}  # fmt: skip
DRAW_THINGS = {
    "c": WORDS, "uc": NEGATIVE, "seed": SEED, "steps": STEPS, "scale": GUIDANCE, "sampler": "DPM++ 2M Karras", "strength": 1,
    "size": f"{WIDTH}x{HEIGHT}", "model": "meadow", "lora": [{"model": "ink", "weight": 0.5}], "seed_mode": "Scale Alike",
    "v2": {"clipSkip": 1, "strength": 1, "shift": 1},
}  # fmt: skip


def draw_things_packet() -> bytes:
    quoted = json.dumps(DRAW_THINGS, ensure_ascii=False).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    told = f"<exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>{quoted}</rdf:li></rdf:Alt></exif:UserComment>"
    packet = f"<x:xmpmeta><rdf:RDF><rdf:Description><xmp:CreatorTool>Draw Things</xmp:CreatorTool>{told}</rdf:Description></rdf:RDF>"
    return f"{packet}</x:xmpmeta>".encode()


def stealth(text: str, size: tuple[int, int] = (64, 96), mark: bytes = b"stealth_pngcomp") -> bytes:
    """A picture without texts that has this one in the lowest bits of its alpha, column by column."""
    body = gzip.compress(text.encode()) if mark == b"stealth_pngcomp" else text.encode()
    bits = np.unpackbits(np.frombuffer(mark + (len(body) * 8).to_bytes(4) + body, np.uint8))
    alpha = np.full(size[0] * size[1], 255, np.uint8)
    alpha[: len(bits)] = 254 | bits
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[..., 3] = alpha.reshape(size[0], size[1]).T
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def fooocus_jpeg(kind: str) -> bytes:
    """With its comment in the first directory and not in that of EXIF, as a bare text."""
    exif, stream = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.UserComment] = json.dumps(FOOOCUS)
    exif[ExifTags.Base.Software], exif[ExifTags.Base.MakerNote] = "Fooocus v2.5.5", "fooocus"
    Image.new("RGB", (16, 24)).save(stream, kind, exif=exif)
    return stream.getvalue()


def texts_of(values: dict[str, Any]) -> dict[str, str]:
    """A text a value, as Easy Diffusion writes them."""
    return {name: str(value) for name, value in values.items()}


def told(values: object) -> str:
    return json.dumps(values, ensure_ascii=False)


COMMENT, MAKE, MODEL = ExifTags.Base.UserComment, ExifTags.Base.Make, ExifTags.Base.Model
# Program, what distinguishes the file, the file.
FILES: list[tuple[str, str, Callable[[], bytes]]] = [
    ("AUTOMATIC1111", "PNG", lambda: png({"parameters": f"{A1111}v1.10.1"})),
    ("AUTOMATIC1111", "JPEG", lambda: with_exif("JPEG", {COMMENT: comment(f"{A1111}v1.10.1")})),
    ("AUTOMATIC1111", "WebP", lambda: with_exif("WEBP", {COMMENT: comment(f"{A1111}v1.10.1")})),
    ("AUTOMATIC1111", "stealth", lambda: stealth(f"{A1111}v1.10.1", mark=b"stealth_pnginfo")),
    ("Forge", "PNG", lambda: png({"parameters": f"{A1111}f2.0.1v1.10.1-previous-669-gdfdcbab6"})),
    ("SD.Next", "PNG", lambda: png({"parameters": SD_NEXT})),
    ("Krita AI Diffusion", "PNG", lambda: png({"parameters": KRITA})),
    ("Fooocus", "a1111 scheme", lambda: png({"parameters": FOOOCUS_TEXT, "fooocus_scheme": "a1111"})),
    ("Fooocus", "PNG", lambda: png({"parameters": told(FOOOCUS), "fooocus_scheme": "fooocus"})),
    ("Fooocus", "JPEG", lambda: fooocus_jpeg("JPEG")),
    ("Fooocus", "WebP", lambda: fooocus_jpeg("WEBP")),
    ("Fooocus", "labels", lambda: png({"parameters": told(FOOOCUS_LABELS), "fooocus_scheme": "fooocus"})),
    ("InvokeAI", "5", lambda: png({"invokeai_metadata": told(INVOKE), "invokeai_graph": "{}"})),
    ("InvokeAI", "3", lambda: png({"invokeai_metadata": told(INVOKE_3)})),
    ("InvokeAI", "2", lambda: png({"Dream": DREAM, "sd-metadata": told(INVOKE_2)})),
    ("InvokeAI", "1", lambda: png({"Dream": DREAM})),
    ("NovelAI", "PNG", lambda: png(NOVELAI_TEXTS)),
    ("NovelAI", "WebP", lambda: with_exif("WEBP", {COMMENT: comment(told(NOVELAI_TEXTS))})),
    ("NovelAI", "stealth", lambda: stealth(told(NOVELAI_TEXTS))),
    ("SwarmUI", "PNG", lambda: png({"parameters": told(SWARM)})),
    ("SwarmUI", "JPEG", lambda: with_exif("JPEG", {COMMENT: comment(told(SWARM))})),
    ("Easy Diffusion", "PNG", lambda: png(texts_of(EASY))),
    ("Easy Diffusion", "labels", lambda: png(texts_of(EASY_LABELS))),
    ("Easy Diffusion", "JPEG", lambda: with_exif("JPEG", {COMMENT: comment(told(EASY))})),
    ("Draw Things", "JPEG", lambda: with_exif("JPEG", {}, xmp=draw_things_packet())),
    ("ComfyUI", "PNG", lambda: png({"prompt": told(comfy_graph()), "workflow": told(comfy_workflow())})),
    ("ComfyUI", "prompt alone", lambda: png({"prompt": told(comfy_graph())})),
    ("ComfyUI", "workflow alone", lambda: png({"workflow": told(comfy_workflow())})),
    ("ComfyUI", "WebP", lambda: with_exif("WEBP", {MODEL: f"prompt:{json.dumps(comfy_graph())}", MAKE: "workflow:{}"})),
]  # fmt: skip
