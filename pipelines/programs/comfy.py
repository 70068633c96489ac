"""ComfyUI: the sampler that drew the saved picture, and along its links the words, the models, the size.

The graph as it was run lies under "prompt", in a WebP or JPEG behind "prompt:" in the names of camera and maker; what the editor showed,
under "workflow" (`comfy_workflow.py`). Nodes that are not known are asked for inputs of the usual names and else named. Sources: ComfyUI,
nodes.py, comfy_extras/; the most used packages of nodes by their names.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.json_values import is_number, table
from pipelines.programs.comfy_graph import Graph, Link, Node, graph_of
from pipelines.programs.comfy_models import models, vae
from pipelines.programs.comfy_words import conditioning
from pipelines.programs.comfy_workflow import run_of
from pipelines.programs.json_text import as_table
from pipelines.programs.said import Said, Texts, shown, whole

MARKED = ("EXIF make", "EXIF model", "EXIF description", "EXIF comment")
HANDED_ON = ("samples", "latent_image", "latent", "pixels", "image", "images", "upscaled_image", "a", "any", "LATENT", "base_latent")
IMAGES = ("images", "image", "pixels", "samples", "latent")
MOST_SAVED = 20  # nodes that save, the last ones
SAVES = ("save", "output", "websocket")
UNSAID = ("SaveImage", "PreviewImage", "Note", "MarkdownNote", "Reroute", "VAEDecode", "VAEDecodeTiled", "PreviewAny", "PrimitiveNode")
TOO_LONG = "Its graph is longer than can be read here."
SEVERAL = "Several samplers in it could have drawn the picture; the last one that is saved was taken."
SECOND = "A later sampler drew over the picture; only the first pass is taken, and the later one is listed."
FROM_EDITOR = "Only what the editor showed stands in the picture, which may have been changed since it was drawn."


def read(texts: Texts) -> Said | None:
    run, editor = _tables(texts)
    graph = graph_of(run)
    only_editor = graph is None
    if graph is None and editor:
        graph = graph_of(run_of(editor))
    if graph is None:
        told = "workflow" in texts.plain or texts.plain.get("prompt") == "" or bool(editor)
        return Said("ComfyUI", notes=[TOO_LONG]) if told else None
    said = Said("ComfyUI")
    _read(said, graph)
    if only_editor:
        said.notes.append(FROM_EDITOR)
        said.guessed = dict.fromkeys(said.values, FROM_EDITOR)
    return said


def _tables(texts: Texts) -> tuple[dict[str, object], dict[str, object]]:
    """The graph as it was run, and as the editor showed it."""
    found = {"prompt": texts.tables.get("prompt", {}), "workflow": texts.tables.get("workflow", {})}
    for name in MARKED:
        kind, colon, rest = texts.plain.get(name, "").partition(":")
        if colon and kind.casefold() in found and not found[kind.casefold()]:
            found[kind.casefold()] = as_table(rest)
    pasted = texts.tables.get("pasted", {})
    if "nodes" in pasted:
        return {}, pasted
    inside = table(pasted.get("prompt")) or pasted
    return found["prompt"] or (inside if graph_of(inside) else {}), found["workflow"]


def _read(said: Said, graph: Graph) -> None:
    samplers = list(_samplers(graph))
    if not samplers:
        said.notes.append("No node in its graph is a sampler that Atelier knows.")
    else:
        first, later = _passes(graph, samplers[0])
        _draw(said, graph, first)
        _later(said, graph, first, later)
        if len({node.id for node in samplers}) > 1:
            said.notes.append(SEVERAL)
    for node in graph.nodes.values():
        if node.id not in graph.used and node.kind not in UNSAID:
            own = {name: value for name, value in node.inputs.items() if not isinstance(value, list)}
            said.leave(f"{node.kind} #{node.id}", own or node.title or "a node")


def _samplers(graph: Graph) -> Iterator[Node]:
    """Behind what is saved, the last one first; else any, the last one first. None twice."""
    saves = [node for node in graph.nodes.values() if any(word in node.kind.casefold() for word in SAVES)]
    others = [node for node in graph.nodes.values() if "preview" in node.kind.casefold()]
    seen: set[str] = set()
    for save in (saves or others)[: -MOST_SAVED - 1 : -1]:
        found = _sampler_before(graph, next(filter(None, (save.link(name) for name in IMAGES)), None))
        if found and found.id not in seen:
            seen.add(found.id)
            yield found
    if not seen:
        yield from [node for node in graph.nodes.values() if is_sampler(node)][-1:]


def _sampler_before(graph: Graph, link: Link | None) -> Node | None:
    return next((node for node in graph.back(link, *HANDED_ON) if is_sampler(node)), None)


def is_sampler(node: Node) -> bool:
    own = node.has("steps", "cfg") or node.has("sampler", "sigmas")
    return own and (node.has("positive") or node.has("model") or node.has("guider") or node.has("latent_image"))


def _passes(graph: Graph, last: Node) -> tuple[Node, list[Node]]:
    """The sampler that began from noise, and those that went on from what it drew."""
    chain = [last]
    while len(chain) < 20:
        before = _sampler_before(graph, next(filter(None, (chain[-1].link(name) for name in HANDED_ON)), None))
        if before is None or before in chain:
            break
        chain.append(before)
    return chain[-1], chain[-2::-1]


def _later(said: Said, graph: Graph, first: Node, later: list[Node]) -> None:
    """A refiner is what goes on with another model at the step where the first stopped; what else goes on has no place here."""
    for node in map(graph.read, later):
        own = models(Said(""), graph, node.link("model"))
        same = own == models(Said(""), graph, first.link("model"))
        starts, steps = graph.number(node, "start_at_step"), graph.number(node, "steps")
        if own and not same and is_number(starts) and is_number(steps) and 0 < starts < steps:
            said.model("refiner", own)
            said.put("refiner_start", round(starts / steps, 4))
            said.put("steps", whole(steps))
        else:
            said.leave(
                f"later pass, {node.kind} #{node.id}",
                {key: shown(value) for key, value in node.inputs.items() if not isinstance(value, list)},
            )
            if SECOND not in said.notes:
                said.notes.append(SECOND)


def _draw(said: Said, graph: Graph, node: Node) -> None:
    graph.read(node)
    if node.has("sampler", "sigmas"):
        _custom(said, graph, node)
    else:
        _usual(said, graph, node)
    _latent(said, graph, node)
    vae(said, graph)


def _usual(said: Said, graph: Graph, node: Node) -> None:
    said.put("seed", whole(graph.number(node, "seed", "noise_seed")))
    said.put("steps", whole(graph.number(node, "steps")))
    said.put("guidance_scale", graph.number(node, "cfg"))
    said.sampler(graph.word(node, "sampler_name", "sampler"), graph.word(node, "scheduler"))
    _denoise(said, graph.number(node, "denoise"))
    conditioning(said, graph, node)
    name = models(said, graph, node.link("model") or node.link("pipe"))
    said.model("checkpoint", name)


def _custom(said: Said, graph: Graph, node: Node) -> None:
    """Of nodes that each hold a part: noise, guider, sampler, sigmas."""
    noise, sigmas = graph.at(node.link("noise")), graph.at(node.link("sigmas"))
    chosen, guider = graph.at(node.link("sampler")), graph.at(node.link("guider")) or node
    said.put("seed", whole(graph.number(graph.read(noise), "noise_seed", "seed") if noise else graph.number(node, "noise_seed", "seed")))
    if sigmas:
        said.put("steps", whole(graph.number(graph.read(sigmas), "steps")))
        _denoise(said, graph.number(sigmas, "denoise"))
    schedule = graph.word(sigmas, "scheduler") or sigmas.kind.removesuffix("Scheduler") if sigmas else ""
    said.sampler(graph.word(graph.read(chosen), "sampler_name") or chosen.kind.removeprefix("Sampler") if chosen else "", schedule)
    said.put("guidance_scale", graph.number(graph.read(guider), "cfg"))
    conditioning(said, graph, guider)
    said.model("checkpoint", models(said, graph, guider.link("model") or (sigmas.link("model") if sigmas else None)))


def _denoise(said: Said, value: object) -> None:
    if is_number(value) and value < 1:
        said.put("denoising_strength", value)


def _latent(said: Said, graph: Graph, sampler: Node) -> None:
    """The size of what it began with, or that it began with a picture."""
    for node in graph.back(sampler.link("latent_image") or sampler.link("samples") or sampler.link("latent"), *HANDED_ON):
        graph.read(node)
        width, height = graph.number(node, "width", "empty_latent_width"), graph.number(node, "height", "empty_latent_height")
        said.has_mask = said.has_mask or node.has("mask")
        if is_number(width) and is_number(height):
            said.put("width", whole(width))
            said.put("height", whole(height))
            return
        said.begins_with_picture = said.begins_with_picture or node.kind.startswith("LoadImage")
    if not said.begins_with_picture:
        said.values.pop("denoising_strength", None)
