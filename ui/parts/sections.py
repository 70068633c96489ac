"""Sections that the forms of several tabs are made of: what is asked for, with what, at which size, how it is sampled."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import gradio as gr
from gradio.components import Component

from pipelines import Checkpoint, Drawing, InTiles, Request, Studio, Wordless
from pipelines.requests.guidance import Joining
from pipelines.requests.sampling import OPTIONS
from pipelines.requests.second_pass import SAMPLER_NAMES, SCHEDULE_NAMES
from pipelines.samplers import AUTOMATIC, EVERY, SAMPLERS, SCHEDULES
from ui.door.roles import role
from ui.gradio_types import QUIET, Keyword, Update, keywords, listener
from ui.parts import controls
from ui.parts.canvas import plan
from ui.parts.choices import AS_FIRST, choices, offer, upscalers
from ui.parts.control_units import units
from ui.parts.form import CARRIED, Form, TabForm, declared
from ui.parts.guiding import guiding
from ui.parts.regions import regions as regions_list
from ui.parts.scripts import call
from ui.parts.stage import prompt_notes

SAMPLER_LINES = {name: spec.about for name, spec in SAMPLERS.items()}
SCHEDULE_LINES = {AUTOMATIC: "The one that suits the sampler"} | {name: SCHEDULES[name].about for name in EVERY}


@dataclass
class Draft:
    """A form in the making: its components by field name, and the buttons that belong to them."""

    studio: Studio
    kind: type[Request]
    checkpoints: list[Checkpoint] = field(default_factory=list[Checkpoint])  # for what is drawn with one, one at least
    inputs: dict[str, Component] = field(default_factory=dict[str, Component])
    buttons: dict[str, gr.Button] = field(default_factory=dict[str, gr.Button])
    aspects: list[gr.Button] = field(default_factory=list[gr.Button])

    @property
    def start(self) -> dict[str, object]:
        """What the form holds when nothing is typed."""
        return controls.starting_values(self.kind, self.checkpoints[0]) if self.checkpoints else controls.defaults(self.kind)

    def show(self, *names: str, **look: Keyword) -> None:
        """Adds a control for each field."""
        for name in names:
            value = self.start[name]
            start = {} if isinstance(value, tuple) else keywords(value=value)
            self.inputs[name] = controls.control(self.kind, name, **start, **look)

    def slide(self, *names: str) -> None:
        for name in names:
            self.inputs[name] = controls.slider(self.kind, name, value=self.start[name])

    def finish(self) -> TabForm:
        """The form and its buttons, wired; the lists of one that names models are kept as the library is."""
        draws = issubclass(self.kind, Drawing | Wordless)
        if draws:
            self.inputs[CARRIED] = gr.Textbox("", elem_id=f"{self.kind.kind}-carried", elem_classes=["behind"], container=False)
        form = Form(self.kind, self.inputs)
        if draws:
            offer(self.studio, form)
            controls.wire(form, self.buttons.get("swap"), self.aspects, self.buttons["dice"])
        controls.remember(form)
        return TabForm(form, self.buttons)


@contextmanager
def form_side(*classes: str) -> Generator[None]:
    """The side of a tab where hands are: words on top, what is scrolled in the middle, what is used each minute at the foot."""
    with gr.Column(elem_classes=["form-side", *classes]):
        yield


@contextmanager
def form_body(draft: Draft) -> Generator[None]:
    """The middle of a form. On a phone it is a sheet that opens."""
    with gr.Column(elem_classes=["form-body"], elem_id=f"{draft.kind.kind}-body"):
        yield


@contextmanager
def rows() -> Generator[None]:
    """A card of rows: each says its value, and opens where one clicks."""
    with gr.Column(elem_classes=["card", "rows"]):
        yield


@contextmanager
def row(draft: Draft, name: str, title: str, opened: bool = False) -> Generator[None]:
    """One row of a card. What it says at rest is in `static/rows.js`, under this name."""
    with gr.Accordion(title, open=opened, elem_id=f"{draft.kind.kind}-{name}", elem_classes=["row-fold", "more"]):
        yield


WAYS = {"enlarge": "Filter or upscaler", "upscale": "Diffusion"}  # of making a picture larger: kind -> what its button says


def ways(draft: Draft) -> None:
    """The ways of making a picture larger, a tab each; only the first one's tab is in the bar, and the others are reached from it."""
    with gr.Row(elem_classes=["ways"]):
        for kind, says in WAYS.items():
            own = ["chosen"] if kind == draft.kind.kind else []
            draft.buttons[f"to_{kind}"] = gr.Button(says, size="sm", elem_classes=["way", *own], min_width=40)


def words(draft: Draft) -> None:
    """The prompts."""
    with gr.Column(elem_classes=["words"]):
        draft.inputs |= controls.prompt(draft.kind)
        draft.inputs |= controls.negative_prompt(draft.kind)
        prompt_notes(draft.studio, draft.kind.kind, draft.checkpoints)


def models(draft: Draft) -> None:
    """Checkpoint and LoRAs."""
    with gr.Column(elem_classes=["card", "models"]):
        draft.inputs |= controls.checkpoint(draft.kind, draft.checkpoints)
        draft.show("loras")


def size(draft: Draft) -> None:
    with gr.Column(elem_classes=["size"]):
        sides, draft.buttons["swap"], draft.aspects = controls.size(draft.kind, draft.start)
    draft.inputs |= sides


def tiles(draft: Draft) -> None:
    """How a large picture is drawn in parts."""
    with row(draft, "tiles", "Tiles"):
        _tiles(draft, issubclass(draft.kind, InTiles))


def _tiles(draft: Draft, one_by_one: bool = True, of: str = "") -> None:
    """What does nothing in the way that is chosen, `static/form.css` hides. `of`: begins the names of the fields."""
    draft.show(f"{of}tiling")
    draft.slide(f"{of}tile_size", f"{of}tile_overlap")
    if one_by_one:
        with gr.Row():
            draft.show(f"{of}tile_padding", f"{of}tile_blur", f"{of}tile_order", min_width=90)
        draft.show(f"{of}seam_pass")
        draft.slide(f"{of}seam_strength", f"{of}seam_width")


def control(draft: Draft, prominent: bool = False) -> None:
    """The control units. Where the tab is about something else they are a row of a card, and wait folded."""
    assert issubclass(draft.kind, Drawing), "control units steer a drawing"
    with gr.Column(elem_classes=["card"] if prominent else ["units-row"]):
        draft.inputs["controls"] = units(draft.studio, draft.kind, prominent)


def regions(draft: Draft) -> None:
    """Parts of the picture with words of their own."""
    assert issubclass(draft.kind, Drawing), "words are drawn"
    with row(draft, "divided", "Regions"):
        draft.inputs["regions"] = regions_list(draft.kind)
        draft.slide("base_share")
        draft.show("region_ratios", placeholder="1,1")


def sampling(draft: Draft) -> None:
    with row(draft, "sampling", "Sampling"):
        sampler(draft)
        with row(draft, "options", "Options"):  # `static/form.css` hides those that the sampler and the schedule do not read
            draft.show(*OPTIONS, min_width=100)
        draft.show("batch_size")
    guidance(draft)
    with row(draft, "variation", "Variation"):
        draft.slide("variation_strength")
        draft.show("variation_seed")


def sampler(draft: Draft) -> None:
    """And its schedule."""
    with gr.Row():
        for name, lines in (("sampler", SAMPLER_LINES), ("schedule", SCHEDULE_LINES)):
            says = partial(hint, declared(draft.kind, name).metadata["info"], lines)
            offered = {"choices": choices(draft.studio, draft.kind, name, str(draft.start["checkpoint"]))} if name == "sampler" else {}
            draft.show(name, info=says(draft.start[name]), min_width=120, **offered)
            hinted(draft.inputs[name], says)


def guidance(draft: Draft) -> None:
    """How guidance goes over the steps, and what is done with it."""
    assert issubclass(draft.kind, Drawing), "guidance is of a drawing"
    with row(draft, "guidance", "Guidance"):
        guiding(draft.kind)
        with gr.Row():
            draft.show("guidance_from", "guidance_until", min_width=100)
        with gr.Row():
            draft.show("guidance_curve", "guidance_end", min_width=100)
        draft.slide("guidance_rescale")
        draft.show("third_look")
        draft.slide("look_strength", "look_blur", "projection", "push_limit", "momentum", "contrast_as", "contrast_percentile")
        draft.slide("perp_negative", "free_u")
        with gr.Row(elem_classes=["free-numbers"]):
            draft.show("free_b1", "free_b2", "free_s1", "free_s2", min_width=110)
        draft.show("zero_star")
        draft.inputs |= {"seamless": controls.control(draft.kind, "seamless")} if issubclass(draft.kind, Joining) else {}


def hint(field: str, lines: Mapping[str, str], chosen: object) -> str:
    """What a field is about, and what the choice in it is good for."""
    return f"{field}. {chosen}: {lines[chosen]}." if isinstance(chosen, str) and chosen in lines else field


def hinted(part: Component, says: Callable[[object], str]) -> None:
    """The hint of a list follows the choice."""

    @role("viewer")
    def about(chosen: object) -> Update:
        return gr.update(info=says(chosen))

    listener(part, "change")(about, part, part, **QUIET, preprocess=False)


def add_ons(draft: Draft) -> None:
    with row(draft, "add-ons", "VAE, refiner and add-ons"):
        vaes = choices(draft.studio, draft.kind, "vae", str(draft.start["checkpoint"]))
        draft.inputs["vae"] = controls.control(draft.kind, "vae", choices=vaes, value="")
        draft.slide("clip_skip")
        draft.show("hypernetworks")
        draft.show("second_prompt", lines=1, max_lines=8, placeholder="As the prompt", elem_classes=["weighable"])
        offered = choices(draft.studio, draft.kind, "refiner", str(draft.start["checkpoint"]))
        draft.inputs["refiner"] = controls.control(draft.kind, "refiner", choices=offered, value="")
        draft.slide("refiner_start")


def enlarged(draft: Draft) -> None:
    """What enlarges each picture when it is drawn."""
    with row(draft, "enlarged", "Enlarged"):
        draft.show("enlarged_by", choices=upscalers(draft.studio, "enlarged_by"))


def hires(draft: Draft) -> None:
    """The second pass of what is drawn: a switch, and what is to be another than in the first."""
    with row(draft, "second", "Hires fix"):
        draft.show("hires")
        plan(draft.studio, draft.kind)
        draft.slide("hires_factor", "hires_strength")
        enlarging(draft)
        with gr.Row():
            draft.show("hires_steps", "hires_guidance", min_width=100)
        with gr.Row():
            draft.show("hires_sampler", choices=as_first(SAMPLER_NAMES), min_width=120)
            draft.show("hires_schedule", choices=as_first(SCHEDULE_NAMES), min_width=120)
        draft.show("hires_prompt", "hires_negative_prompt", lines=1, max_lines=8, placeholder=AS_FIRST, elem_classes=["weighable"])
        offered = choices(draft.studio, draft.kind, "hires_checkpoint", str(draft.start["checkpoint"]))
        draft.show("hires_checkpoint", choices=offered)
        draft.show("hires_loras")
        _tiles(draft, of="hires_")


def as_first(names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(AS_FIRST, ""), *((name, name) for name in names)]


def enlarging(draft: Draft) -> None:
    """How a picture comes to the size of its second pass, but for the factor."""
    draft.show("hires_upscaler", choices=upscalers(draft.studio, "hires_upscaler"))
    with gr.Row():
        draft.show("hires_width", "hires_height", min_width=100)


def minute(draft: Draft, says: str = "Generate") -> None:
    """The foot: the four numbers of every minute, and the button that starts. It never scrolls away."""
    with gr.Column(elem_classes=["form-foot"]):
        with gr.Row(elem_classes=["minute"]):
            draft.show("batch_count", label="Pictures", min_width=40)
            draft.show("steps", "guidance_scale", min_width=40)
            seed, draft.buttons["dice"], draft.buttons["reuse"] = controls.seeds(draft.kind)
        draft.inputs |= seed
        draft.show("all_combinations", elem_classes=["all-combinations"])
        start(draft, says)


def start(draft: Draft, says: str) -> None:
    """The button that starts; beside it, on a phone, the one that opens the rest of the form."""
    with gr.Row(elem_classes=["start"]):
        draft.buttons["generate"] = controls.generate(draft.kind, says)
        more = gr.Button("All settings", elem_classes=["sign", "icon-sliders-horizontal", "sheet-more"], scale=0, min_width=46)
    more.click(None, None, None, js=call("sheets", "toggleSheet"))
