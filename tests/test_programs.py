"""Pictures of other programs, as they write them, are read: values, models, what is only likely, and what nothing here stands for."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sd_parsers import ParserManager
from sd_parsers.extractors import Eagerness

from models.errors import UserError
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import Reading, inspect, of_pasted
from pipelines.programs.names import sampler_of, schedule_of
from pipelines.programs.novelai import weighed
from pipelines.requests.request import Drawing, ImageToImage, Inpaint, LoraUse, TextToImage
from tests.support import foreign_files as files
from tests.support.asked import drawing
from tests.support.foreign_files import FILES, comfy_graph, comfy_workflow, node, png, told

WANTED = {
    "seed": files.SEED, "steps": files.STEPS, "guidance_scale": files.GUIDANCE, "sampler": "DPM++ 2M", "negative_prompt": files.NEGATIVE,
    "width": files.WIDTH, "height": files.HEIGHT,
}  # fmt: skip
WITHOUT_SCHEDULE = ("InvokeAI, 1", "InvokeAI, 2", "Easy Diffusion")
NAMES = [f"{program}, {kind}" for program, kind, _ in FILES]
SLOW = 2.0  # seconds of a processor: 0.1 alone, five times that where much is kept by tests before; what grows without bound takes minutes


@pytest.mark.parametrize(("name", "made"), [(name, made) for name, (_, _, made) in zip(NAMES, FILES, strict=True)], ids=NAMES)
def test_a_picture_of_another_program_is_read_as_it_was_written(name: str, made: Callable[[], bytes]) -> None:
    found = inspect(made())
    request = drawing(found.request)
    assert {field: getattr(request, field) for field in WANTED} == WANTED
    assert request.prompt.removesuffix(", cinematic") == files.WORDS
    assert found.program == name.partition(",")[0]
    assert set(found.told) >= {*WANTED, "prompt"}
    assert found.made_with.get("Model") == {"NovelAI": "NovelAI Diffusion V4"}.get(
        found.program, None if name == "InvokeAI, 1" else "meadow"
    )
    assert bool(found.guessed) == (name == "ComfyUI, workflow alone"), found.guessed
    assert request.schedule == ("Automatic" if name.startswith(WITHOUT_SCHEDULE) else "Karras")


@pytest.mark.filterwarnings("ignore:Image.Image.getdata:DeprecationWarning")
def test_another_reader_says_the_same_of_what_it_reads() -> None:
    reader, agreed = ParserManager(eagerness=Eagerness.EAGER), 0
    for _, _, made in FILES:
        other = reader.parse(io.BytesIO(made()))
        if other is None:
            continue
        agreed += 1
        [theirs], ours = other.samplers, drawing(inspect(made()).request)
        assert [prompt.value for prompt in theirs.prompts] == [ours.prompt]
        assert [prompt.value for prompt in theirs.negative_prompts] == [ours.negative_prompt]
        assert sampler_of(str(theirs.name)).name == ours.sampler
        said = {name: float(theirs.parameters[name]) for name in ("seed", "steps", "cfg_scale") if name in theirs.parameters}
        assert said == {name: float(getattr(ours, name.replace("cfg", "guidance"))) for name in said}
    assert agreed >= 14


LORAS = [made for program, kind, made in FILES if program in ("SwarmUI", "Easy Diffusion", "Fooocus", "Draw Things") or kind in "53"]


@pytest.mark.parametrize("made", LORAS)
def test_loras_are_taken_with_their_strength(made: Callable[[], bytes]) -> None:
    found = inspect(made())
    assert drawing(found.request).loras == (LoraUse(name="ink", unet=0.5, text_encoder=0.5),)
    assert "loras" in found.told


def test_hashes_that_can_find_a_file_are_kept_and_others_are_not() -> None:
    hashes = {name: inspect(made()).made_with.get("Model hash") for name, (_, _, made) in zip(NAMES, FILES, strict=True)}
    assert hashes["AUTOMATIC1111, PNG"] == hashes["Fooocus, PNG"] == files.SHA[:10] and hashes["InvokeAI, 2"] == files.SHA
    # BLAKE3, of tensors alone, and not known
    assert hashes["InvokeAI, 5"] is hashes["SwarmUI, PNG"] is hashes["Krita AI Diffusion, PNG"] is None


# ------------------------------------------------------------------------------------------------ ComfyUI


def comfy(graph: dict[str, Any], size: tuple[int, int] = (16, 24)) -> tuple[Reading, Drawing]:
    found = inspect(png({"prompt": told(graph)}, size))
    return found, drawing(found.request)


def test_loras_patches_and_the_layer_are_found_between_model_and_sampler() -> None:
    graph = comfy_graph(model=["20", 0]) | {
        "20": node("LoraLoader", lora_name="sub/ink.safetensors", strength_model=0.5, strength_clip=0.25, model=["21", 0], clip=["4", 1]),
        "21": node("Power Lora Loader (rgthree)", lora_1={"on": True, "lora": "snow", "strength": 0.75}, model=["22", 0],
                   lora_2={"on": False, "lora": "off", "strength": 1}),
        "22": node("RescaleCFG", multiplier=0.7, model=["23", 0]), "23": node("FreeU_V2", b1=1.3, model=["4", 0]),
        "24": node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["20", 1]), "25": node("VAELoader", vae_name="warm.safetensors"),
    }  # fmt: skip
    graph["6"]["inputs"]["clip"] = ["24", 0]
    graph["8"]["inputs"]["vae"] = ["25", 0]
    found, request = comfy(graph)
    assert [(use.name, use.unet, use.text_encoder) for use in request.loras] == [("snow", 0.75, 0.75), ("ink", 0.5, 0.25)]
    assert (request.guidance_rescale, request.clip_skip) == (0.7, 2)
    assert (found.made_with["VAE"], found.made_with["Model"]) == ("warm", "meadow")
    assert found.unknown == {"FreeU_V2 #23": '{"b1": 1.3}'} and "FreeU_V2" in found.notes[-1]


def test_values_that_other_nodes_hold_are_followed() -> None:
    graph = comfy_graph(seed=["30", 0], steps=["31", 0]) | {
        "30": node("Seed (rgthree)", seed=42), "31": node("Reroute", value=["32", 0]), "32": node("PrimitiveInt", value=12),
        "33": node("StringConcatenate", string_a="a", string_b=["34", 0], delimiter="-"), "34": node("PrimitiveString", value="b"),
    }  # fmt: skip
    graph["6"]["inputs"]["text"] = ["33", 0]
    request = comfy(graph)[1]
    assert (request.seed, request.steps, request.prompt) == (42, 12, "a-b")


def test_ids_may_be_numbers_and_of_subgraphs() -> None:
    text = told(comfy_graph()).replace('["4", 0]', "[4, 0]").replace('"5"', '"5:1"')
    assert drawing(inspect(png({"prompt": text})).request).width == files.WIDTH


def test_the_sampler_of_parts_is_read_like_the_other() -> None:
    graph = comfy_graph()
    graph["3"] = node(
        "SamplerCustomAdvanced", noise=["40", 0], guider=["41", 0], sampler=["42", 0], sigmas=["43", 0], latent_image=["5", 0]
    )
    graph |= {
        "40": node("RandomNoise", noise_seed=files.SEED), "42": node("KSamplerSelect", sampler_name="dpmpp_2m"),
        "41": node("CFGGuider", cfg=files.GUIDANCE, model=["4", 0], positive=["6", 0], negative=["7", 0]),
        "43": node("BasicScheduler", scheduler="karras", steps=files.STEPS, denoise=1.0, model=["4", 0]),
    }  # fmt: skip
    found, request = comfy(graph)
    assert {name: getattr(request, name) for name in WANTED} == WANTED and request.schedule == "Karras"
    assert found.made_with == {"Model": "meadow"}


def test_two_encoders_and_joined_texts_are_said_to_be_guessed() -> None:
    graph = comfy_graph(positive=["50", 0])
    graph["50"] = node("CLIPTextEncodeSDXL", text_g="a house", text_l="oil on canvas", width=1024, height=1024, clip=["4", 1])
    found, request = comfy(graph)
    assert request.prompt == "a house\noil on canvas" and "two text encoders" in found.guessed["prompt"]
    graph["50"] = node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["51", 0])
    graph["51"] = node("CLIPTextEncode", text="snow", clip=["4", 1])
    found, request = comfy(graph)
    assert request.prompt == f"{files.WORDS}\nsnow" and "joined" in found.guessed["prompt"]


def test_a_control_net_between_leads_to_both_prompts_and_is_named() -> None:
    graph = comfy_graph(positive=["60", 0], negative=["60", 1])
    graph["60"] = node(
        "ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], control_net=["61", 0], image=["62", 0], strength=0.8
    )
    graph |= {"61": node("ControlNetLoader", control_net_name="canny.safetensors"), "62": node("LoadImage", image="a.png")}
    found, request = comfy(graph)
    assert (request.prompt, request.negative_prompt) == (files.WORDS, files.NEGATIVE)
    assert "strength" in found.unknown["ControlNetApplyAdvanced #60"] and "canny" in found.unknown["ControlNetLoader #61"]
    assert "prompt" not in found.guessed


def test_a_picture_from_a_picture_is_of_that_kind() -> None:
    graph = comfy_graph(latent_image=["70", 0], denoise=0.6)
    graph |= {"70": node("VAEEncode", pixels=["71", 0], vae=["4", 2]), "71": node("LoadImage", image="a.png")}
    found, request = comfy(graph, (512, 768))
    assert isinstance(request, ImageToImage) and request.denoising_strength == 0.6
    assert (request.width, request.height) == (512, 768) and "size of the picture" in found.guessed["width"]
    graph["70"] = node("SetLatentNoiseMask", samples=["72", 0], mask=["71", 1])
    graph["72"] = node("VAEEncode", pixels=["71", 0], vae=["4", 2])
    found, request = comfy(graph)
    assert isinstance(request, Inpaint) and any("mask" in note for note in found.notes)


def second_pass(**changes: Any) -> dict[str, Any]:
    own = {"seed": 1, "steps": 9, "cfg": 2, "sampler_name": "euler", "scheduler": "normal", "denoise": 0.5, "latent_image": ["81", 0]}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0]}
    graph = comfy_graph() | {
        "80": node("KSampler", **(own | links | changes)), "81": node("LatentUpscale", samples=["3", 0], width=1024, height=1280),
    }  # fmt: skip
    graph["8"]["inputs"]["samples"] = ["80", 0]
    return graph


def test_of_two_passes_the_first_is_taken_and_the_second_is_named() -> None:
    found, request = comfy(second_pass())
    assert {name: getattr(request, name) for name in WANTED} == WANTED
    assert '"steps": "9"' in found.unknown["later pass, KSampler #80"] and any("later sampler" in note for note in found.notes)


def test_a_pass_of_another_model_that_goes_on_is_the_refiner() -> None:
    graph = second_pass(model=["82", 0], latent_image=["3", 0], start_at_step=20, end_at_step=25, steps=25)
    graph["82"] = node("CheckpointLoaderSimple", ckpt_name="finish.safetensors")
    found, request = comfy(graph)
    assert found.made_with["Refiner"] == "finish" and (request.refiner_start, request.steps) == (0.8, 25)


def test_samplers_and_schedules_that_are_not_here_become_the_nearest_and_it_is_said() -> None:
    found, request = comfy(comfy_graph(sampler_name="seeds_3", scheduler="ddim_uniform"))
    assert (request.sampler, request.schedule) == ("DPM++ 3M SDE", "Normal")
    assert set(found.guessed) == {"sampler", "schedule"} and "“seeds_3” is not here" in found.guessed["sampler"]
    found, request = comfy(comfy_graph(sampler_name="warp_9"))
    assert request.sampler == TextToImage().sampler and found.unknown["sampler"] == "warp_9" and "sampler" not in found.told
    text = inspect(png({"parameters": f"{files.A1111}v1.10.1".replace("DPM++ 2M", "DPM++ 2S")}))
    assert drawing(text.request).sampler == "DPM++ 2M" and "sampler" in text.guessed


def test_of_an_unknown_graph_every_node_is_named() -> None:
    graph = {"1": node("MagicPainter", wish="a house"), "2": node("SaveImage", images=["1", 0])}
    with pytest.raises(UserError, match=r"made with ComfyUI.*No node in its graph is a sampler"):
        inspect(png({"prompt": told(graph)}))


def test_switched_off_nodes_of_a_workflow_hand_on() -> None:
    assert inspect(png({"workflow": told(comfy_workflow())})).made_with == {"Model": "meadow"}
    assert not drawing(inspect(png({"workflow": told(comfy_workflow())})).request).loras


# ------------------------------------------------------------------------------------------------ the others


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a {red} house", "a (red:1.05) house"), ("{{red}} [[house]]", "(red:1.1) (house:0.907)"), ("a {b {c} d} e", "a {b (c:1.05) d} e"),
        ("1.5::red:: house", "(red:1.5) house"), ("plain (words:1.2)", "plain (words:1.2)"), ("{" * 5000, "{" * 5000),
    ],
)  # fmt: skip
def test_weights_of_novelai_are_written_as_ours(written: str, read: str) -> None:
    assert weighed(written)[0] == read and bool(weighed(written)[1]) == (written != read)


def test_a_prompt_of_version_4_with_people_is_read_whole() -> None:
    caption = {"caption": {"base_caption": "two friends", "char_captions": [{"char_caption": "girl"}, {"char_caption": "boy"}]}}
    found = inspect(png(files.NOVELAI_TEXTS | {"Comment": told(files.NOVELAI | {"v4_prompt": caption})}))
    assert drawing(found.request).prompt == "two friends\ngirl\nboy"


def test_layers_that_invokeai_leaves_out_are_counted_from_one_here() -> None:
    assert drawing(inspect(png({"invokeai_metadata": told(files.INVOKE | {"clip_skip": 1})})).request).clip_skip == 2


THEIR_NAMES = {
    "dpmpp_2s_ancestral": "DPM++ 2S a", "k_dpmpp_2s_a": "DPM++ 2S a", "dpm_2": "DPM2", "k_dpm_2_a": "DPM2 a", "dpm_2_ancestral": "DPM2 a",
    "KDPM2AncestralDiscreteScheduler": "DPM2 a", "lms": "LMS", "k_lms": "LMS", "dpmpp_3m_sde_gpu": "DPM++ 3M SDE",
    "dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun", "uni_pc_bh2": "UniPC", "UniPCMultistepScheduler": "UniPC", "deis": "DEIS",
    "res_multistep": "RES multistep", "ddpm": "Euler a",
}  # fmt: skip


def test_names_of_every_program_mean_one_of_ours() -> None:
    for name in ("k_euler_ancestral", "euler_a", "Euler A", "EulerAncestralDiscreteScheduler", "euler_ancestral"):
        assert sampler_of(name).name == "Euler a" and sampler_of(name).sure, name
    assert sampler_of("dpmpp_2m_sde_k") == ("DPM++ 2M SDE", True, "Karras") and sampler_of("DPM++ 2M SDE Karras").schedule == "Karras"
    for name, ours in THEIR_NAMES.items():
        assert sampler_of(name)[:2] == (ours, True), name
    assert sampler_of("DPM++ 2M SDE Heun Karras") == ("DPM++ 2M SDE Heun", True, "Karras")
    assert sampler_of("DPM2 a Karras") == ("DPM2 a", True, "Karras") and sampler_of("DPM++ 3M SDE Exponential").schedule == "Exponential"
    assert (
        schedule_of("Beta", "v1.10.1").name == "Beta sigma"
        and schedule_of("Beta", "f2.0.1v1.10.1").name == schedule_of("beta").name == "Beta"
    )
    assert not schedule_of("gits").sure and schedule_of("Polyexponential") == ("Exponential", True, "")
    assert schedule_of("sgm_uniform") == ("SGM Uniform", True, "") and schedule_of("kl_optimal").sure and not schedule_of("?").name


# ------------------------------------------------------------------------------------------------ pasted


@pytest.mark.parametrize(
    "text",
    [
        f"{files.A1111}v1.10.1", told(comfy_graph()), told({"prompt": comfy_graph()}), told(comfy_workflow()), told(files.INVOKE),
        told(files.INVOKE_2), files.DREAM, told(files.FOOOCUS), told(files.NOVELAI), told(files.SWARM), told(files.EASY),
        told(files.DRAW_THINGS),
    ],
)  # fmt: skip
def test_pasted_settings_of_every_program_are_read_as_in_a_picture(text: str) -> None:
    found = of_pasted(f"\n{text}\n")
    assert drawing(found.request).seed == files.SEED and drawing(found.request).prompt == files.WORDS and not found.words_alone


def test_our_own_settings_are_read_pasted_in_every_form() -> None:
    request = TextToImage(prompt="a house", seed=7, steps=33, language=1)  # as JSON that does not say it was drawn
    whole = {"version": 1, "request": {"kind": "txt2img", "prompt": "a house", "seed": 7, "steps": 33}, "made_with": {"Model": "x"}}
    assert of_pasted(told(whole)).request == of_pasted(told(whole["request"])).request == request
    assert of_pasted(infotext.write(request, {})).request == replace(request, vae="own")


def test_a_bare_prompt_is_words_alone() -> None:
    found = of_pasted("a red house, (snow:1.2) <lora:ink:0.5>\nby night")
    assert found.words_alone and drawing(found.request).prompt == "a red house, (snow:1.2)\nby night"
    assert drawing(found.request).loras[0].name == "ink" and found.told == ("prompt",)
    assert of_pasted("a house\nNegative prompt: fog").request == TextToImage(prompt="a house", negative_prompt="fog", vae="")


@pytest.mark.parametrize(
    "text", ["", " \n", "{}", '{"a": 1}', '{"a": ' * 100_000 + "1" + "}" * 100_000, '{"prompt": "never closed}', "x" * 1_000_001]
)
def test_a_text_that_says_nothing_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UserError) as refused:
        of_pasted(text)
    assert str(refused.value).endswith(".") and len(str(refused.value)) < 200


# ------------------------------------------------------------------------------------------------ hostile


def quickly(data: bytes) -> Reading | None:
    began = time.thread_time()  # of what else stands in this process nothing counts
    try:
        return inspect(data)
    except UserError as error:
        assert str(error).endswith(".")
        return None
    finally:
        assert time.thread_time() - began < SLOW


def circles(count: int) -> dict[str, Any]:
    """Every node leads to every other one."""
    kinds = ("KSampler", "CLIPTextEncode", "LoraLoader", "ConditioningCombine", "SaveImage", "StringConcatenate")
    keys = ("model", "positive", "negative", "latent_image", "samples", "text", "clip", "images", "conditioning_1", "string_a", "steps")
    links = {str(n): {key: [str((n * 7 + place) % count), 0] for place, key in enumerate(keys)} for n in range(count)}
    return {name: node(kinds[int(name) % len(kinds)], cfg=1, seed=[name, 0], **inputs) for name, inputs in links.items()}


def graph_texts(graph: dict[str, Any]) -> dict[str, str]:
    return {"prompt": told(graph)}


HOSTILE: dict[str, Callable[[], dict[str, str]]] = {
    "circles": lambda: graph_texts(circles(2000)),
    "a node of itself": lambda: graph_texts(comfy_graph(model=["3", 0], seed=["3", 0], positive=["3", 0], latent_image=["3", 0])),
    "links to nowhere": lambda: graph_texts(comfy_graph(model=["99", 0], seed=["x", 0], positive=[6.5, 0], latent_image=["5", "x"])),
    "a long chain": lambda: graph_texts(comfy_graph(model=["c0", 0]) | {f"c{n}": node("Way", model=[f"c{n + 1}", 0]) for n in range(9000)}),
    "many inputs": lambda: graph_texts(comfy_graph() | {"4": node("Loader", **{f"lora_{n}": "x" for n in range(40_000)})}),
    "huge numbers": lambda: {"prompt": told(comfy_graph(seed=10**4000, steps=10**40, cfg=-(10**300))).replace("24", "1e999")},
    "lists for names": lambda: graph_texts(comfy_graph(sampler_name=["a", "b"], scheduler={"x": []}, model=None, positive=5, negative=[])),
    "deep": lambda: {"prompt": '{"a":' * 100_000, "workflow": "[" * 100_000},
    "deep enough": lambda: {"prompt": told(comfy_graph(model="@")).replace('"@"', "[" * 900 + "]" * 900)},
    "odd workflow": lambda: {"workflow": told({"nodes": [5, None, {"id": {}}, {"id": 1, "inputs": [[]]}], "links": [[], 5, [[], 1, 2]]})},
    "invoke list": lambda: {"invokeai_metadata": "[]"}, "invoke number": lambda: {"sd-metadata": '{"image": "x"}', "Dream": '"' * 50_000},
    "invoke evil": lambda: {"invokeai_metadata": told({key: {"a": [[]]} for key in files.INVOKE})},
    "invoke prompts": lambda: {"sd-metadata": told({"image": {"prompt": [5, {}, {"prompt": "[" * 50_000}]}})},
    "fooocus evil": lambda: {"parameters": told({key: [[["x"]]] for key in files.FOOOCUS})},
    "novel evil": lambda: {"Software": "NovelAI", "Comment": told(dict.fromkeys(files.NOVELAI, None) | {"prompt": "{a}" * 30_000})},
    "swarm evil": lambda: {"parameters": told({"sui_image_params": dict.fromkeys(files.SWARM["sui_image_params"], "\0")})},
    "easy evil": lambda: {"use_stable_diffusion_model": "x", "use_lora_model": "[" + "'a'," * 100_000, "seed": "1" * 5000},
    "half letters": lambda: {"invokeai_metadata": json.dumps(files.INVOKE | {"positive_prompt": "\ud800", "model": {"name": "\udfff"}})},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_made_to_break_a_reader_ends_soon_in_a_reading_or_a_sentence(name: str) -> None:
    quickly(png(HOSTILE[name]()))


KEYS = st.sampled_from(["prompt", "model", "name", "image", "inputs", "0"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "x", "5", "KSampler", "[", "\ud800", "9" * 60]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
TABLES = {
    "prompt": comfy_graph()["3"]["inputs"], "invokeai_metadata": files.INVOKE, "sd-metadata": files.INVOKE_2["image"],
    "parameters": files.FOOOCUS | files.SWARM["sui_image_params"], "Comment": files.NOVELAI, "use_stable_diffusion_model": files.EASY,
}  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(st.data(), st.sampled_from(sorted(TABLES)))
def test_no_value_in_the_place_of_another_breaks_a_reader(data: st.DataObject, where: str) -> None:
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(TABLES[where])), VALUES, min_size=1, max_size=5))
    values: Any = TABLES[where] | changed
    whole = {"prompt": comfy_graph(**values) if where == "prompt" else 0, "sd-metadata": {"image": values}}.get(where, values)
    texts = [{where: json.dumps(whole)}]
    if where == "parameters":
        texts.append({where: json.dumps({"sui_image_params": values})})
    if where.startswith("use_"):
        texts = [{key: str(value).encode("utf-8", "replace").decode().replace("\0", "") for key, value in values.items()}]
    for one in texts:
        quickly(png(one))
