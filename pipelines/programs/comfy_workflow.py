"""ComfyUI's workflow, as its editor keeps it, made into the graph that is run: values stand in the order of a node's fields.

{"nodes": [{"id": 3, "type": "KSampler", "inputs": [{"name": "model", "link": 1}], "widgets_values": [5, "fixed", 20, ...], "mode": 0}],
 "links": [[1, 4, 0, 3, 0, "MODEL"], ...]}

The order of the fields is that of the nodes of ComfyUI (nodes.py), for the ones that a picture's settings stand in. Later versions of
the editor name the fields among the inputs. A node that is switched off (mode 2 or 4) hands on what it is given.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.json_values import is_list, is_row, is_table, is_whole, listed, table, text

AFTER = ("fixed", "increment", "decrement", "randomize")  # what becomes of a seed after a run; stands behind it and is no input
FIELDS: dict[str, tuple[str, ...]] = {
    "KSampler": ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        "add_noise", "noise_seed", "steps", "cfg", "sampler_name", "scheduler", "start_at_step", "end_at_step",
        "return_with_leftover_noise",
    ),
    "SamplerCustom": ("add_noise", "noise_seed", "cfg"),
    "KSamplerSelect": ("sampler_name",), "BasicScheduler": ("scheduler", "steps", "denoise"), "RandomNoise": ("noise_seed",),
    "CFGGuider": ("cfg",), "CheckpointLoaderSimple": ("ckpt_name",), "CheckpointLoader": ("config_name", "ckpt_name"),
    "UNETLoader": ("unet_name", "weight_dtype"), "VAELoader": ("vae_name",), "CLIPTextEncode": ("text",),
    "CLIPTextEncodeSDXL": ("width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l"),
    "CLIPTextEncodeSDXLRefiner": ("ascore", "width", "height", "text"), "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"), "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "EmptyLatentImage": ("width", "height", "batch_size"), "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "LatentUpscale": ("upscale_method", "width", "height", "crop"), "LoadImage": ("image", "upload"), "RescaleCFG": ("multiplier",),
    "PrimitiveNode": ("value",), "PrimitiveInt": ("value",), "PrimitiveFloat": ("value",), "PrimitiveString": ("value",),
    "PrimitiveStringMultiline": ("value",), "ControlNetLoader": ("control_net_name",), "ControlNetApply": ("strength",),
    "ControlNetApplyAdvanced": ("strength", "start_percent", "end_percent"),
}  # fmt: skip
MOST_NODES = 5_000
SWITCHED_OFF = (2, 4)


def run_of(workflow: Mapping[str, object]) -> Mapping[str, object]:
    """In the form that `comfy_graph.graph_of` reads."""
    nodes = [node for node in map(table, listed(workflow.get("nodes"))[:MOST_NODES]) if "id" in node]
    by_id = {str(node["id"]): node for node in nodes}
    sources = _sources(workflow)
    return {str(node["id"]): _run(node, by_id, sources) for node in nodes if node.get("mode") not in SWITCHED_OFF}


def _run(node: Mapping[str, object], by_id: Mapping[str, Mapping[str, object]], sources: Mapping[object, object]) -> dict[str, object]:
    inputs = _fields(node) | _links(node, by_id, sources)
    return {"class_type": text(node, "type"), "_meta": {"title": text(node, "title")}, "inputs": inputs}


def _sources(workflow: Mapping[str, object]) -> dict[object, object]:
    """Id of a link -> a row of that id, the node that it comes from, and which of its outputs."""
    found: dict[object, object] = {}
    for row in listed(workflow.get("links")):
        if is_row(row) and len(row) >= 3 and is_whole(row[0]):
            found[row[0]] = row
        elif is_table(row) and is_whole(row.get("id")):
            found[row["id"]] = (row["id"], row.get("origin_id"), row.get("origin_slot"))
    return found


def _fields(node: Mapping[str, object]) -> dict[str, object]:
    values = node.get("widgets_values")
    if is_table(values):
        return dict(values)
    if not is_list(values):
        return {}
    own = [value for place, value in enumerate(values) if not (place and value in AFTER and is_whole(values[place - 1]))]
    named = [text(table(one), "name") for one in listed(node.get("inputs")) if "widget" in table(one)]
    known = FIELDS.get(text(node, "type"))
    names = known or (named if len(named) == len(own) else ())
    loras: dict[str, object] = {f"lora_{place}": value for place, value in enumerate(own) if is_table(value) and "lora" in value}
    return dict(zip(names, own, strict=False)) or loras


def _links(node: Mapping[str, object], by_id: Mapping[str, Mapping[str, object]], sources: Mapping[object, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for one in map(table, listed(node.get("inputs"))[:200]):
        source = _source(one.get("link"), by_id, sources)
        if source:
            found[text(one, "name")] = source
    return found


def _source(link: object, by_id: Mapping[str, Mapping[str, object]], sources: Mapping[object, object]) -> list[object] | None:
    """The node and output that a link comes from, past those that are switched off."""
    for _ in range(100):
        row = sources.get(link) if is_whole(link) else None
        if not is_row(row):
            return None
        node = by_id.get(str(row[1]), {})
        if node.get("mode") not in SWITCHED_OFF:
            return [str(row[1]), row[2]]
        kind = _kind_of(node, row[2])
        link = next((table(one).get("link") for one in listed(node.get("inputs")) if table(one).get("type") == kind), None)
    return None


def _kind_of(node: Mapping[str, object], output: object) -> object:
    outputs = listed(node.get("outputs"))
    return table(outputs[output]).get("type") if is_whole(output) and 0 <= output < len(outputs) else None
