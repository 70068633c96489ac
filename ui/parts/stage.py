"""The stage, the middle of the room in every tab: the picture as it forms, progress, stop and skip, the finished pictures.

The picture never travels through Gradio. A press of Generate returns a job's id; the script of the stage follows that job over
the server's own routes, one request in flight, so that a slow line drops frames and delays nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import gradio as gr
from gradio.components import Component

from models.json_values import is_whole, table
from pipelines import KINDS, Checkpoint, Clip, PictureRecord, Request, Studio, UserError, form_of, left_out, limits, longest, summary
from ui.door.roles import role, role_of, user_of, visitor_of
from ui.gradio_types import CALM, QUIET, Keyword, Update, Updates, listener
from ui.messages import PromptNotes, PromptQuestion, StageStart
from ui.parts.components import piece
from ui.parts.form import CARRIED, Form, TabForm, carried_values, origin_of
from ui.parts.prompt_seen import lines_seen, seen
from ui.toasts import Refusal, remark

SNIPPET = 24  # characters shown of the place where a prompt is cut


def header() -> gr.HTML:
    """The name of the house, the state of the worker, light or dark."""
    return piece("header", "header")


class Stage:
    """The one surface of the room, and what stands around it. `view` is told the ids of new jobs; its script does the rest."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        seeded = [kind for kind, request in KINDS.items() if "seed" in limits(request)]
        self.view = piece("stage", "stage", seeded=seeded)
        listener(self.view, "attach")(self._attach(), None, self.view, **QUIET)

    def connect(self, tab: TabForm) -> None:
        """Joins a form to the stage: Generate, and numbers that become those that are used."""
        form, name = tab.form, tab.form.kind.kind
        handed: dict[str, Keyword] = {"inputs_kwargs": form.inputs, "outputs": self.view, "preprocess": False}
        about = f"Queues a job ({name}) and returns its id."
        # Through the queue, because Gradio shows the sentence of an error only there; nothing waits in it. Every press counts: by itself
        # Gradio drops one that comes before the answer to the last, and on a slow line that takes a second.
        calm: dict[str, Keyword] = {"concurrency_limit": None, "show_progress": "hidden", "trigger_mode": "multiple"}
        generate = listener(tab.buttons["generate"], "click")
        drawn = generate(self._generate(form), api_name=name, api_description=about, **handed, **calm)
        numbers = [form.inputs[name] for name in form.snapped]
        drawn.success(self._kept(form), numbers, numbers, **QUIET, preprocess=False)

    def connect_seed(self, tabs: Mapping[str, TabForm]) -> None:
        """The seed of a picture, and of the last one, back into the form. `tabs`: those whose forms have one, by kind."""
        seeds = {kind: tab.form.inputs["seed"] for kind, tab in tabs.items()}
        listener(self.view, "use_seed")(self._seed_of(seeds), None, list(seeds.values()), **CALM)
        for kind, tab in tabs.items():
            listener(tab.buttons["reuse"], "click")(self._last_seed(), None, seeds[kind], **QUIET)

    def _generate(self, form: Form) -> Callable[..., str]:
        @role("artist")
        def generate(request: gr.Request, **values: object) -> str:
            with told("Not started"):
                asked = form.read(**values)
                visitor = visitor_of(request)
                origin = self._studio.origin(origin_of(values), visitor.person)
                job_id = self._studio.submit(asked, visitor.user, visitor.owns, origin=origin)
            for sentence in form.adjusted(values, asked):
                remark(sentence, "Adjusted")
            for sentence in left_out(asked):
                remark(sentence, "Left out")
            if advice := self._advice(asked):
                remark(advice, "Memory")
            return job_id

        return generate

    def _kept(self, form: Form) -> Callable[..., list[Update]]:
        @role("viewer")
        def kept(*values: object) -> list[Update]:
            return form.kept(values)

        return kept

    def _advice(self, asked: Request) -> str:
        """What to do when the request will probably not fit the memory; the job is tried all the same."""
        forecast = None if isinstance(asked, Clip) else self._studio.forecast(asked)  # of a clip it stands in the form
        return forecast.advice if forecast and not forecast.fits else ""

    def _attach(self) -> Callable[..., StageStart]:
        @role("viewer")
        def attach(request: gr.Request) -> StageStart:
            user = user_of(request)
            with told("Not read"):
                recent = self._studio.recent(user, owner=is_owner(request))
                news = self._studio.news(is_owner(request))
            return {"recent": [summary(record) for record in recent], "news": news, "examples": self._studio.examples.all()}

        return attach

    def _seed_of(self, seeds: Mapping[str, Component]) -> Callable[..., Updates]:
        @role("viewer")
        def use_seed(event: gr.EventData, request: gr.Request) -> Updates:
            seed, to = str(own_picture(self._studio, event, request).seed), getattr(event, "to", "")
            return {seeds[to]: gr.update(value=seed)} if to in seeds else {}

        return use_seed

    def _last_seed(self) -> Callable[..., str]:
        @role("viewer")
        def last_seed(request: gr.Request) -> str:
            with told("Not read"):
                recent = self._studio.recent(user_of(request), owner=is_owner(request))
            return next((str(record.seed) for record in recent if record.seed >= 0), "-1")

        return last_seed


def is_owner(request: gr.Request) -> bool:
    return role_of(request) == "owner"


@contextmanager
def told(title: str) -> Generator[None]:
    """Has a person told in the page what goes wrong within the block."""
    try:
        yield
    except UserError as error:
        raise Refusal(str(error), title) from None


def own_picture(studio: Studio, event: gr.EventData, request: gr.Request) -> PictureRecord:
    """The picture whose id the page sent, when it is this person's own."""
    asked = getattr(event, "id", None)
    with told("Not read"):
        record = studio.own_picture(asked, user_of(request), is_owner(request)) if isinstance(asked, str) else None
    if record is None:
        raise Refusal("This picture is not among yours any more.", "Not found")
    return record


def prompt_notes(studio: Studio, name: str, checkpoints: list[Checkpoint]) -> gr.HTML:
    """Under the prompt: how much of it fits, where it is cut, what in it is not understood, and examples."""

    @role("viewer")
    def count(asked: PromptQuestion) -> PromptNotes:
        given = table(asked)
        try:
            return notes(studio, KINDS[name], given)
        except (UserError, KeyError):
            return {}

    examples = {entry.id: list(entry.examples) for entry in checkpoints}
    return piece("notes", f"{name}-notes", server_functions=[count], kind=name, examples=examples, longest=longest())


def notes(studio: Studio, kind: type[Request], asked: Mapping[str, object]) -> PromptNotes:
    """What is said under a prompt of this kind of form. `tokens` is None where it is not counted. Raises `KeyError` where nothing is
    asked.
    """
    checkpoint_id, pictures, form = str(asked["checkpoint"]), asked.get("pictures"), table(asked.get("form"))
    found = studio.prompts.notes(
        checkpoint_id,
        str(asked["prompt"]),
        str(asked.get("negative_prompt", "")),
        _seed(str(asked.get("seed", ""))),
        pictures if is_whole(pictures) else 0,
        form_of(kind, form | carried_values(kind, form.get(CARRIED))),
    )
    name = next((entry.name for entry in studio.checkpoints() if entry.id == checkpoint_id), "This checkpoint")
    return {
        "checkpoint": checkpoint_id,
        "name": name,
        "tokens": found.counted.tokens if found.counted else None,
        "limit": found.counted.limit if found.counted else None,
        "parts": [found.read[cut : cut + SNIPPET].strip() for cut in found.counted.cuts] if found.counted else [],
        "unknown": list(found.unknown),
        "said": list(found.sentences),
        "drawn": list(found.drawn),
        "choices": found.has_choices,
        "marks": seen(studio, checkpoint_id, {**form, **asked}),
        "lines": lines_seen(found.lines, {**form, **asked}),
    }


def _seed(text: str) -> int:
    """-1 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
