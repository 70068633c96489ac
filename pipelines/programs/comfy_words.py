"""ComfyUI's conditioning, taken back to the words: through control nets, areas and joints, to the nodes that hold a text."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.programs.comfy_graph import Graph, Link, Node, link_of
from pipelines.programs.comfy_models import clip
from pipelines.programs.said import Said

MOST = 60  # nodes on the way of one prompt
TEXTS = ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "text_positive")
JOINTS = ("conditioning", "conditioning_1", "conditioning_2", "conditioning_to", "conditioning_from", "cond1", "cond2", "base_conditioning")
JOINED = "Several texts are joined in its graph in a way that has no counterpart here; they stand in lines."
BOTH_ENCODERS = "Its two text encoders were given two texts; here one goes to both."


def conditioning(said: Said, graph: Graph, node: Node) -> None:
    """Both prompts of a sampler, a guider or a node that is both loader and sampler."""
    for name, inputs in (("prompt", ("positive", "conditioning", "cond")), ("negative_prompt", ("negative", "uncond"))):
        literal = next((node.inputs[key] for key in inputs if isinstance(node.inputs.get(key), str)), None)
        link = next(filter(None, (node.link(key) for key in inputs)), None)
        texts = [] if link is None else list(dict.fromkeys(_texts(said, graph, link, name == "negative_prompt")))
        if literal is not None or link:
            why = JOINED if len(texts) > 1 else ""
            said.put(name, literal if isinstance(literal, str) else "\n".join(texts), why or said.guessed.get(name, ""))


def _texts(said: Said, graph: Graph, start: Link, negative: bool) -> Iterator[str]:
    """Those that come together at the link, in order."""
    waiting, seen = [start], set[tuple[str, int]]()
    while waiting and len(seen) < MOST:
        link = waiting.pop(0)
        node = graph.at(link)
        if node is None or (link.node, link.output) in seen:
            continue
        seen.add((link.node, link.output))
        graph.read(node)
        if node.kind == "ConditioningZeroOut":
            continue
        if found := _own(said, graph, node, negative):
            yield found
        else:
            waiting = [*_before(said, node, link.output), *waiting]


def _own(said: Said, graph: Graph, node: Node, negative: bool) -> str:
    """The text that a node encodes."""
    side = "negative" if negative else "positive"
    if isinstance(own := node.inputs.get(side), str):  # a loader that encodes as well
        return own
    parts = [text for name in TEXTS if name in node.inputs and (text := _said_by(graph, node, name))]
    if parts:
        clip(said, graph, node.link("clip"))
        if len(set(parts)) > 1:
            field = "negative_prompt" if negative else "prompt"
            said.guessed[field] = BOTH_ENCODERS
    return "\n".join(dict.fromkeys(parts))


def _said_by(graph: Graph, node: Node, name: str) -> str:
    value = node.inputs.get(name)
    return value if isinstance(value, str) else graph.text(link_of(value))


def _before(said: Said, node: Node, output: int) -> list[Link]:
    """Where a node has its conditioning from. One with two outputs hands the positive one on as its first."""
    if node.has("control_net") or "ControlNet" in node.kind:
        said.leave(
            f"{node.kind} #{node.id}",
            {name: value for name, value in node.inputs.items() if not isinstance(value, list)} or "a control unit",
        )
    pair = [link for name in ("positive", "negative") if (link := node.link(name))]
    if len(pair) == 2:
        return [pair[min(output, 1)]]
    found = [link for name in (*JOINTS, "positive", "negative") if (link := node.link(name))]
    return found or [link for value in node.inputs.values() if (link := link_of(value))][:1]
