"""Controls that several tabs share. Limits, titles and explanations come from the request; only the arrangement is decided here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import cast

import gradio as gr
from gradio.components import Component
from gradio.context import Context

from models.families import PIXELS_PER_LATENT
from models.identify.distilled import SETTINGS
from models.json_values import is_row
from pipelines import OWN_VAE, Checkpoint, Choice, Flag, Limit, Range, Request, SecondPass, Several, Text, Upscale, limits
from pipelines.requests.second_pass import UPSCALER_NAMES
from ui.gradio_types import Keyword, keywords, listener
from ui.messages import FormOffers
from ui.parts.components import piece
from ui.parts.form import Form, declared, is_exact
from ui.parts.scripts import call

ASPECTS = {"1:1": 1.0, "3:4": 3 / 4, "2:3": 2 / 3, "4:3": 4 / 3, "3:2": 3 / 2, "16:9": 16 / 9}  # width to height
OF_FEW = tuple(sorted(SETTINGS))  # fields that a model of few steps brings
NO_VAE_FILE = [("Automatic", ""), ("The checkpoint's own", OWN_VAE)]  # (words, value): what is offered beside files


def control(kind: type[Request], name: str, **look: Keyword) -> Component:
    """The component that fits the field's limits. `look` changes how it looks, never what it allows."""
    item = declared(kind, name)
    limit, default = item.metadata["limit"], item.default
    words = keywords(label=item.metadata["title"], info=item.metadata["info"] or None, interactive=True)
    common = keywords(words, {"value": default, "elem_id": f"{kind.kind}-{name}"}, look)
    if isinstance(limit, Text):
        return gr.Textbox(max_length=limit.length, **common)
    if isinstance(limit, Choice):
        return gr.Dropdown(**keywords({"choices": list(limit.names), "filterable": False}, common))
    if isinstance(limit, Flag):
        return gr.Checkbox(**common)
    if isinstance(limit, Several):
        return rack(kind, name, **look)
    if is_exact(limit):
        return gr.Textbox(**keywords(common, value=str(common["value"]), max_lines=1, max_length=30))
    return gr.Number(**_numbers(limit, item.type), **common)


def slider(kind: type[Request], name: str, **look: Keyword) -> gr.Slider:
    """A number that is more often felt than typed."""
    item = declared(kind, name)
    limit = item.metadata["limit"]
    words = keywords(label=item.metadata["title"], info=item.metadata["info"] or None, elem_id=f"{kind.kind}-{name}")
    return gr.Slider(limit.low, limit.high, step=limit.step, **keywords({"value": item.default, "interactive": True}, words, look))


def rack(kind: type[Request], name: str, **look: Keyword) -> gr.HTML:
    """A list of entries, each a file of the library with its strengths. Its value is the list that the request takes."""
    item = declared(kind, name)
    limit = item.metadata["limit"]
    assert isinstance(limit, Several)
    words = {field.name: field.metadata["title"] for field in fields(limit.entry)}
    shown = [field for field in fields(limit.entry) if not field.metadata["derived"]]
    numbers = {field.name: _limits(field.metadata["limit"], field.default) for field in shown}
    named = {"field": name, "files": name.removeprefix("hires_"), "title": item.metadata["title"], "kind": kind.kind}
    offers = {**named, "words": words, "numbers": numbers, "most": limit.most}
    common = keywords({"value": [], "interactive": True, "label": item.metadata["title"]}, look)
    return piece("rack", f"{kind.kind}-{name}", offers=offers, **common)


def _limits(limit: Limit, default: object) -> dict[str, object] | None:
    return {"low": limit.low, "high": limit.high, "step": limit.step, "default": default} if isinstance(limit, Range) else None


def _numbers(limit: Range, kind: object) -> dict[str, Keyword]:
    return {"minimum": limit.low, "maximum": limit.high, "step": limit.step, "precision": 0 if kind == "int" else None}


def prompt(kind: type[Request]) -> dict[str, Component]:
    ask = "Describe the picture: what is in it, where it stands, the light"
    return {"prompt": control(kind, "prompt", lines=4, max_lines=14, placeholder=ask, elem_classes=["weighable"])}


def negative_prompt(kind: type[Request]) -> dict[str, Component]:
    avoid = "What should not be in it"
    return {"negative_prompt": control(kind, "negative_prompt", lines=1, max_lines=8, placeholder=avoid, elem_classes=["weighable"])}


def generate(kind: type[Request], says: str) -> gr.Button:
    return gr.Button(says, variant="primary", elem_id=f"{kind.kind}-generate", elem_classes=["generate"])


def checkpoint(kind: type[Request], checkpoints: Sequence[Checkpoint]) -> dict[str, Component]:
    choices = named(checkpoints)
    return {"checkpoint": control(kind, "checkpoint", choices=choices, value=choices[0][1], filterable=len(choices) > 8)}


def named(checkpoints: Sequence[Checkpoint]) -> list[tuple[str, str]]:
    """(words, id) of what a dropdown for checkpoints offers."""
    return [(about(entry), entry.id) for entry in checkpoints] or [("None is here yet", "")]


def about(entry: Checkpoint) -> str:
    """A checkpoint in one line: its name, its family, the size it was made for."""
    width, height = (entry.defaults.get(side, entry.native_size) for side in ("width", "height"))
    return f"{entry.name} · {entry.family}, {width} × {height}"


def size(kind: type[Request], start: Mapping[str, object]) -> tuple[dict[str, Component], gr.Button, list[gr.Button]]:
    """Width and height with swap, and a button for each aspect."""
    with gr.Row(elem_classes=["size-row"]):
        width = control(kind, "width", value=start["width"], min_width=80)
        swap = _sign(kind, "swap", "Swap width and height", "arrow-left-right")
        height = control(kind, "height", value=start["height"], min_width=80)
    with gr.Row(elem_classes=["aspects"]):
        looks = {name: ["aspect", f"aspect-{name.replace(':', '-')}"] for name in ASPECTS}
        aspects = [gr.Button(name, size="sm", elem_classes=classes, min_width=40) for name, classes in looks.items()]
    return {"width": width, "height": height}, swap, aspects


def sides(kind: type[Request], start: Mapping[str, object]) -> tuple[dict[str, Component], gr.Button]:
    """Width and height with swap alone, for models that were made for one shape."""
    with gr.Row(elem_classes=["size-row"]):
        width = control(kind, "width", value=start["width"], min_width=80)
        swap = _sign(kind, "swap", "Swap width and height", "arrow-left-right")
        height = control(kind, "height", value=start["height"], min_width=80)
    return {"width": width, "height": height}, swap


def seeds(kind: type[Request]) -> tuple[dict[str, Component], gr.Button, gr.Button]:
    with gr.Row(elem_classes=["seed-row"]):
        seed = control(kind, "seed", min_width=140)
        dice = _sign(kind, "dice", "A new seed each time", "dices")
        reuse = _sign(kind, "reuse", "Seed of the last picture", "rotate-ccw")
    return {"seed": seed}, dice, reuse


def _sign(kind: type[Request], name: str, says: str, icon: str) -> gr.Button:
    """A button that shows an icon of `static/icons`; its words are for ears."""
    return gr.Button(says, elem_classes=["sign", f"icon-{icon}", name], elem_id=f"{kind.kind}-{name}", scale=0, min_width=36)


def defaults(kind: type[Request]) -> dict[str, object]:
    """Of all fields that the page shows."""
    return {item.name: item.default for item in fields(kind) if not item.metadata["derived"]}


def starting_values(kind: type[Request], entry: Checkpoint) -> dict[str, object]:
    """What the form holds when this checkpoint is chosen and nothing is typed: the request's defaults, then the checkpoint's own."""
    known = defaults(kind)
    suits = {**entry.defaults}
    if kind is SecondPass and "hires_strength" in suits:
        suits["denoising_strength"] = suits["hires_strength"]  # the same pass, by itself
    own = {name: value for name, value in suits.items() if name in known}
    side = entry.native_size
    sides = {"width": side, "height": side}
    shared = side // 4 if kind is Upscale else side // 2  # there, the small picture holds neighbours together as well
    tiles = {f"{second}{name}": value for second in ("", "hires_") for name, value in (("tile_size", side), ("tile_overlap", shared))}
    return known | {name: value for name, value in (sides | tiles).items() if name in known} | {"checkpoint": entry.id} | own


def most(kind: type[Request], name: str) -> int:
    """Entries that a list can have."""
    limit = limits(kind)[name]
    assert isinstance(limit, Several)
    return limit.most


def aspect_size(native: int, ratio: float, limit: Range) -> tuple[int, int]:
    """Width and height with about the native area and the given ratio, on the grid that suits the model.

    The grid is an eighth of the native side (64 pixels for 512), at least 8.
    """
    grid = max(PIXELS_PER_LATENT, native // 8 // PIXELS_PER_LATENT * PIXELS_PER_LATENT)
    sides = (native * math.sqrt(ratio), native / math.sqrt(ratio))
    width, height = (int(min(max(round(side / grid) * grid, limit.low), limit.high)) for side in sides)
    return width, height


def wire(form: Form, swap: gr.Button | None, aspects: list[gr.Button], dice: gr.Button) -> None:
    """What the browser does by itself, with no word to the server: swap, aspects, dice, a checkpoint's own defaults."""
    sides = [form.inputs[name] for name in ("width", "height") if name in form.inputs]
    if swap:
        swap.click(None, sides, sides, js="(width, height) => [height, width]")
    dice.click(None, None, form.inputs["seed"], js="() => '-1'")
    for button in aspects:
        chosen = [form.inputs["checkpoint"], *sides]
        button.click(None, chosen, sides, js=call("memory", "aspect", button.value, takes="id, width, height"))
    js = call("memory", "follow", form.kind.kind, form.names, takes="...values")
    listener(form.inputs["checkpoint"], "input")(None, form.components, form.components, js=js)
    if "loras" in form.inputs:
        names = [name for name in OF_FEW if name in form.inputs]
        suited = [form.inputs[name] for name in names]
        listener(form.inputs["loras"], "change")(None, suited, suited, js=call("memory", "suit", form.kind.kind, names, takes="...values"))


def starts(kind: type[Request], checkpoints: Sequence[Checkpoint]) -> FormOffers:
    """For the page's scripts: what the form holds with each checkpoint, and the size of each aspect."""
    limit = limits(kind).get("width")
    natives = {entry.native_size for entry in checkpoints}
    sizes = {native: _sizes(native, limit) for native in natives} if isinstance(limit, Range) else {}
    return {
        "starts": {entry.id: plain(starting_values(kind, entry)) for entry in checkpoints},
        "aspects": {entry.id: sizes[entry.native_size] for entry in checkpoints if sizes},
        "unnamed": {"vae": [value for _, value in NO_VAE_FILE], "hires_upscaler": list(UPSCALER_NAMES), "enlarged_by": [""]},
    }


def _sizes(native: int, limit: Range) -> dict[str, tuple[int, int]]:
    """Of each aspect."""
    return {name: aspect_size(native, ratio, limit) for name, ratio in ASPECTS.items()}


def plain(values: Mapping[str, object]) -> dict[str, object]:
    """As JSON has them; a seed goes as text."""
    return {name: list(value) if is_row(value) else str(value) if name == "seed" else value for name, value in values.items()}


def remember(form: Form) -> None:
    """What is typed stays in this browser, over a reload and a restart of the server. Nothing is sent."""
    # What is offered from the library may come later than the page; the studio looks it up again in any case.
    fixed = {name: part for name, part in form.inputs.items() if isinstance(part, gr.Dropdown) and _is_fixed(limits(form.kind)[name])}
    choices = {name: [value for _, value in _choices(part)] for name, part in fixed.items()}
    changed = [listener(part, "change") for part in form.components]
    keep = call("memory", "keep", form.kind.kind, form.names, takes="...values")
    gr.on(changed, None, form.components, None, js=keep)  # pyright: ignore[reportUnknownMemberType]  # annotated in part
    recall = call("memory", "recall", form.kind.kind, form.names, choices, takes="...values")
    page = Context.root_block
    assert isinstance(page, gr.Blocks), "a form is built inside a page"
    page.load(None, form.components, form.components, js=recall)


def _choices(part: gr.Dropdown) -> list[tuple[str, object]]:
    return cast(list[tuple[str, object]], part.choices)  # pyright: ignore[reportUnknownMemberType]


def _is_fixed(limit: Limit) -> bool:
    return isinstance(limit, Choice) and bool(limit.names)
