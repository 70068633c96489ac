"""One more run: the picture is drawn once more by its own request while the networks are watched: attention, guidance, every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
from PIL import Image

from models.errors import UserError
from pipelines.inside.answers import HeatHeads, HeatLayers, RunFound, RunStep
from pipelines.inside.desk import Desk, Found, Left, Looking, Seen
from pipelines.inside.guidance import Predictions, grey, pictures_of_step, scales_of
from pipelines.inside.heat import HALVES, Group, Heat, as_bytes, heat_words, kept_size
from pipelines.inside.schedules import short
from pipelines.inside.watch import Watch
from pipelines.inside.whole import IN_PARTS, refusal
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.runner import Runner
from pipelines.requests.drawn_small import DrawnSmall
from pipelines.requests.request import Drawing
from pipelines.requests.steps import steps_of

SAME = "Drawn once more, and the same to the last bit: what is seen here made this very picture."
NOT_SAME = "Drawn once more, and not the same to the last bit: a model, a library or the machine is another one than then."


def look(desk: Desk, runner: Runner) -> Looking:
    """Watches a drawing of its own. Every step tells what was looked at so far. Raises `UserError` for what is not drawn whole."""
    request = drawn_small(desk.request)
    if why := refusal(request):
        raise UserError(why)
    watch, made, count, picture = _watch(desk.left, request), 0, steps_of(request).run, None
    with closing(runner.watched(request, watch.watching, desk.left.of)) as events:
        for event in events:
            if isinstance(event, Step) and not event.before:
                _check_whole(event, count)
                made = event.index
                watch.made(made)
                desk.left.seen, desk.left.state = watch, event.state
                yield Seen(made, count, so_far(watch))
            elif isinstance(event, Picture):
                picture = event.image
                break
            else:
                yield Seen(made, count)
        found = yield from _told(watch, desk, picture, Seen(made, count))
    return found


def _watch(left: Left, request: Drawing) -> Watch:
    """That of a look that gave way goes on with what it has seen."""
    if not isinstance(left.seen, Watch):
        return Watch(request)
    left.seen.goes_on = True
    return left.seen


def drawn_small(request: Drawing) -> Drawing:
    """Without what an upscaler makes of the picture afterwards."""
    return replace(request, enlarged_by="") if isinstance(request, DrawnSmall) else request


def _check_whole(step: Step, count: int) -> None:
    if step.count != count:
        raise UserError(IN_PARTS)


def so_far(watch: Watch) -> Found | None:
    """Where one looked in the steps that are made."""
    heat = watch.heat
    if heat is None or not heat.groups:
        return None
    files = {f"heat-{key}-all.f32": as_bytes(heat.of(group)) for key, group in _keys(heat)}
    return Found(_message(heat, [], [watch.request.guidance_scale], 0), files)


def _told(watch: Watch, desk: Desk, picture: Image.Image | None, at: Seen) -> Looking:
    heat, model, first = watch.heat, watch.model, next(iter(watch.steps.values()), None)
    if heat is None or model is None or first is None:
        raise UserError(IN_PARTS)
    scales, own = scales_of(watch.request, model)
    files, steps = dict(_maps(heat)), list[RunStep]()
    for number, (step, seen) in enumerate(watch.steps.items()):
        predictions = Predictions(model, watch.request, seen)
        shown, apart = pictures_of_step(model, predictions, scales, number)
        files |= {**shown} | {f"block-{number}-{place}.png": grey(block.strength) for place, block in enumerate(seen.blocks)}
        steps.append(
            {
                "number": step + 1,
                "sigma": short(predictions.sigma.item()),
                "timestep": short(seen.timestep),
                "context": list(seen.context),
                "apart": short(apart),
                "blocks": [{"name": block.name, "shape": list(block.shape)} for block in seen.blocks],
            }
        )
        yield at
    message = _message(heat, steps, scales, own) | {"done": True, "same": _compared(desk, picture)}
    return Found(
        message | {"guided": any(seen.negative is not None for seen in watch.steps.values()), "latents": list(first.given.shape)}, files
    )


def _compared(desk: Desk, picture: Image.Image | None) -> str:
    before = desk.picture()
    return SAME if picture and before.size == picture.size and np.array_equal(np.asarray(before), np.asarray(picture)) else NOT_SAME


def _maps(heat: Heat) -> Iterator[tuple[str, bytes]]:
    for key, group in _keys(heat):
        for half in _halves(heat):
            yield f"heat-{key}{half}-all.f32", as_bytes(heat.of(group, half=half))
            for place, stretch in enumerate(heat.stretches):
                yield f"heat-{key}{half}-{place}.f32", as_bytes(heat.of(group, stretch, half))


def _halves(heat: Heat) -> list[str]:
    """Of the heads; a network of one head a layer has none."""
    return list(HALVES) if heat.has_halves else list(HALVES)[:1]


def _keys(heat: Heat) -> list[tuple[str, Group | None]]:
    """Name of the maps -> their layers; one stands for all."""
    return [*((str(number), group) for number, group in enumerate(heat.groups)), ("all", None)]


def _message(heat: Heat, steps: list[RunStep], scales: list[float], own: int) -> RunFound:
    return {
        "done": False,
        "same": "",
        "words": heat_words(heat.words, heat.of(heat.groups[heat.clearest])),
        "layers": [_layers(heat, key, group) for key, group in _keys(heat)],
        "heads": [HeatHeads(key=half, title=HALVES[half]) for half in _halves(heat)],
        "clearest": str(heat.clearest),
        "stretches": [_steps_named(heat.stretch, stretch) for stretch in heat.stretches],
        "guided": False,
        "scales": scales,
        "own": own,
        "latents": [],
        "steps": steps,
    }


def _layers(heat: Heat, key: str, group: Group | None) -> HeatLayers:
    height, width = kept_size(group[1] if group else heat.finest)
    title = f"{group[0]} {group[1][1]} × {group[1][0]}" if group else "All layers"
    return {"key": key, "title": title, "width": width, "height": height}


def _steps_named(stretch: int, number: int) -> str:
    first = number * stretch + 1
    return f"Step {first}" if stretch == 1 else f"Steps {first} to {first + stretch - 1}"
