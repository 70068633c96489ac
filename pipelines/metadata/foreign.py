"""A request from what another program says of a picture: every value within its limits, or said why not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.metadata.admitting import admitted
from pipelines.metadata.lists import listed
from pipelines.metadata.text_request import lost, put_in, with_tags
from pipelines.programs.said import ModelSaid, Said
from pipelines.requests.added import MOST_LORAS, STRONGEST
from pipelines.requests.request import (
    Drawing,
    HypernetworkUse,
    ImageToImage,
    Inpaint,
    LoraUse,
    TextToImage,
)

TITLES = {"checkpoint": "Model", "refiner": "Refiner", "vae": "VAE", "hypernetwork": "Hypernet"}
FROM_PICTURE = "It is not said; this is the size of the picture."
MOST_HYPERNETWORKS = 4


@dataclass(frozen=True)
class FromProgram:
    """`told`: the fields that something was said of; `guessed`: field -> why it is only likely. `made_with`: names and hashes of models."""

    request: Drawing
    made_with: dict[str, str]
    notes: tuple[str, ...]
    told: tuple[str, ...]
    guessed: dict[str, str]


def request_of(said: Said, size: tuple[int, int] | None) -> FromProgram:
    """`size`: of the picture itself, which is likely to be what was drawn where nothing is said of it."""
    kind = _kind(said)
    values = {name: value for name, value in said.values.items() if kind is not TextToImage or name != "denoising_strength"}
    taken, notes = admitted(kind, values)
    guessed = {name: why for name, why in said.guessed.items() if name in taken}
    if size and not {"width", "height"} & {*values}:
        likely, _ = admitted(kind, dict(zip(("width", "height"), size, strict=True)))
        taken |= likely
        guessed |= dict.fromkeys(likely, FROM_PICTURE)
    request, tag_notes = with_tags(kind.admit(taken))
    request = _with_models(request, said.models)
    whys = [why for name, why in guessed.items() if name not in ("width", "height")]
    told = (*said.notes, *notes, *whys, *tag_notes, *_too_many(said.models), *lost(said.rest), *put_in(kind, False))
    fields = (*taken, *(name for name in ("loras", "hypernetworks") if getattr(request, name)))
    return FromProgram(request, _made_with(said.models), tuple(dict.fromkeys(told)), fields, guessed)


def _kind(said: Said) -> type[Drawing]:
    if not said.begins_with_picture:
        return TextToImage
    return Inpaint if said.has_mask else ImageToImage


def _with_models(request: Drawing, models: list[ModelSaid]) -> Drawing:
    """Those that the program lists besides the ones that stand in the prompt as tags."""
    named = {use.name for use in request.loras}
    loras = [_lora(model) for model in models if model.place == "lora" and model.name not in named]
    nets = [HypernetworkUse(name=model.name, strength=_within(model.weight)) for model in models if model.place == "hypernetwork"]
    return replace(
        request,
        loras=(*request.loras, *loras)[:MOST_LORAS],
        hypernetworks=(*request.hypernetworks, *nets)[:MOST_HYPERNETWORKS],
    )


def _lora(model: ModelSaid) -> LoraUse:
    return LoraUse(name=model.name, unet=_within(model.weight), text_encoder=_within(model.text_weight))


def _within(strength: float) -> float:
    return min(max(strength, -STRONGEST), STRONGEST) if strength == strength else 1.0


def _too_many(models: list[ModelSaid]) -> list[str]:
    count = sum(model.place == "lora" for model in models)
    return [f"Only {MOST_LORAS} LoRAs can act; {count - MOST_LORAS} of {count} were left out."] if count > MOST_LORAS else []


def _made_with(models: list[ModelSaid]) -> dict[str, str]:
    """As a settings text names them, so that they are looked up in one way."""
    found: dict[str, str] = {}
    for model in models:
        if title := TITLES.get(model.place):
            found |= {title: model.name} | ({f"{title} hash": model.digest} if model.digest else {})
    hashes = [(model.name, model.digest) for model in models if model.place == "lora" and model.digest]
    return found | ({"Lora hashes": listed(hashes)} if hashes else {})
