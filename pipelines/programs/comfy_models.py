"""ComfyUI's models: from a sampler back through LoRAs and patches to the checkpoint; from the text back to the layer; the VAE."""

from __future__ import annotations

import re

from models.json_values import is_number, is_table, text
from pipelines.programs.comfy_graph import Graph, Link, Node
from pipelines.programs.said import Said

HANDED_ON = ("model", "MODEL", "pipe", "basic_pipe", "model1", "any")
FILES = ("ckpt_name", "unet_name", "base_ckpt_name", "model_name", "checkpoint", "checkpoint_name")
STACKED = re.compile(r"lora_(?:name_)?(\d{1,2})")


def models(said: Said, graph: Graph, link: Link | None) -> str:
    """The name of the checkpoint, "" where none is found; LoRAs on the way are told to `said`."""
    uses: list[tuple[str, object, object]] = []
    name = ""
    for node in graph.back(link, *HANDED_ON):
        graph.read(node)
        uses += [*_loras(node), *_stack(graph, node)]
        _patch(said, graph, node)
        if name := graph.word(node, *FILES):
            break
    for lora, unet, words in reversed(uses):
        said.model("lora", lora, "", unet, words)
    return name


def _loras(node: Node) -> list[tuple[str, object, object]]:
    """Of one loader, the last one first."""
    inputs = node.inputs
    found: list[tuple[str, object, object]] = []
    if isinstance(name := inputs.get("lora_name"), str):
        strength = inputs.get("strength_model", inputs.get("lora_model_strength", inputs.get("strength", 1.0)))
        found.append((name, strength, inputs.get("strength_clip", inputs.get("lora_clip_strength"))))
    for key, value in inputs.items():
        if is_table(value) and isinstance(value.get("lora"), str) and value.get("on") is not False:  # rgthree's Power Lora Loader
            found.append((text(value, "lora"), value.get("strength", 1.0), value.get("strengthTwo")))
        elif (place := STACKED.fullmatch(key)) and isinstance(value, str) and inputs.get(f"switch_{place[1]}") != "Off":
            unet = inputs.get(f"strength_{place[1]}", inputs.get(f"model_weight_{place[1]}", inputs.get(f"lora_wt_{place[1]}", 1.0)))
            found.append((value, unet, inputs.get(f"clip_weight_{place[1]}")))
    return [use for use in found[::-1] if use[1] != 0]


def _stack(graph: Graph, node: Node) -> list[tuple[str, object, object]]:
    """Of nodes that only gather LoRAs."""
    found: list[tuple[str, object, object]] = []
    for one in graph.back(node.link("lora_stack"), "lora_stack", "optional_lora_stack"):
        found += _loras(graph.read(one))
    return found


def _patch(said: Said, graph: Graph, node: Node) -> None:
    """What lies between and changes how the model draws."""
    if node.kind == "RescaleCFG":
        said.put("guidance_rescale", graph.number(node, "multiplier"))
        return
    is_loader = any(name in node.inputs for name in (*FILES, "lora_name")) or any(STACKED.fullmatch(name) for name in node.inputs)
    is_handing_on = "reroute" in node.kind.casefold() or "lora" in node.kind.casefold()
    if not is_loader and not is_handing_on and said.program:
        own = {name: value for name, value in node.inputs.items() if not isinstance(value, list)}
        said.leave(f"{node.kind} #{node.id}", own or node.title or "a node")


def clip(said: Said, graph: Graph, link: Link | None) -> None:
    """The layer at which the text encoder stops: -1 is the last one."""
    for node in graph.back(link, "clip", "CLIP", "pipe"):
        graph.read(node)
        layer = graph.number(node, "stop_at_clip_layer", "clip_skip")
        if is_number(layer) and -100 < layer < 0:
            said.put("clip_skip", int(-layer))
            return


def vae(said: Said, graph: Graph) -> None:
    """The one by which the picture came to pixels, where that is a file of its own."""
    for node in graph.nodes.values():
        loader = graph.at(node.link("vae")) if node.has("samples", "vae") else None
        if loader and (name := graph.word(loader, "vae_name")) and not name.startswith(("taesd", "Baked")):
            graph.read(loader)
            said.model("vae", name)
            return
