"""A request from a settings text: of the kind that its keys belong to, with everything that is found, and the rest named."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace

from models.errors import UserError
from pipelines.metadata.admitting import admitted
from pipelines.metadata.infotext import PICTURE_KEYS, UPSCALE_TO, Settings, number
from pipelines.metadata.provenance import OURS_ALONE
from pipelines.metadata.unit_text import TRUTHS, read_unit
from pipelines.prompts.tags import Tag, take_tags
from pipelines.requests.enlarge import BY_SIZE
from pipelines.requests.request import (
    Controlled,
    Depth,
    Drawing,
    Enlarge,
    FromPicture,
    HypernetworkUse,
    ImageToImage,
    Inpaint,
    LoraUse,
    Outpaint,
    Request,
    TextToImage,
)

UNIT = re.compile(r"ControlNet (\d{1,2})", re.IGNORECASE)
# Which kind a text is of: the first one that has a field of its own in it.
OWN: tuple[tuple[type[Drawing], tuple[str, ...]], ...] = (
    (Outpaint, ("left", "right", "top", "bottom")),
    (Depth, ("estimator", "map", "map_inverted", "cut_off", "far", "near", "curve", "map_blur")),
    (Inpaint, ("mask_blur", "masked_content", "area", "padding", "inverted", "soft")),
    (ImageToImage, ("image", "denoising_strength")),
)
READ_ELSEWHERE = frozenset({
    "Model", "Model hash", "VAE", "VAE hash", "Refiner", "Refiner hash", "Lora hashes", "TI hashes", "Hypernet", "Hypernet hash",
    "ControlNet hashes", "VAE tile", "VAE precision", "Version", "Size-1", "Size-2", *OURS_ALONE,
})  # fmt: skip
SECOND_PASS = "Hires "  # begins the keys of A1111's second pass, which writes its denoising strength under the name that img2img has
NO_PICTURE = "The picture that it begins with is not in the text. Put it in."


@dataclass(frozen=True)
class FromText:
    """`pictures`: field, or unit and field, of an input picture -> the beginning of its id."""

    request: Request
    notes: tuple[str, ...] = ()
    pictures: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])


def request_of(settings: Settings) -> FromText:
    """Never raises for what a text holds."""
    if "filter" in settings.pictures and "steps" not in settings.values:
        return _enlarging(settings)
    kind = _kind(settings)
    given = {name: _value(kind, name, text) for name, text in settings.pictures.items() if name in {item.name for item in fields(kind)}}
    pictures = {(-1, name): str(given.pop(name)) for name in ("image", "map") if given.get(name)}
    taken, notes = admitted(kind, given)
    request, tag_notes = _with_tags(kind.admit({**settings.values, **taken}))
    units = [(int(found[1]), text) for key, text in settings.leftovers.items() if (found := UNIT.fullmatch(key))]
    read = [read_unit(text, place + 1) for place, text in sorted(units)[:10]]
    pictures |= {(place, name): known for place, (_, own, _) in enumerate(read) for name, known in own.items()}
    unit_notes = [note for _, _, found in read for note in found]
    request = replace(request, controls=tuple(use for use, _, _ in read))
    told = (*settings.notes, *notes, *tag_notes, *unit_notes, *_lost(settings, kind))
    return FromText(request, told, pictures)


def _kind(settings: Settings) -> type[Drawing]:
    found = set(settings.pictures)
    if any(key.startswith(SECOND_PASS) for key in settings.leftovers):
        found -= {"denoising_strength"}
    kind = next((kind for kind, own in OWN if found & set(own)), None)
    has_units = any(UNIT.fullmatch(key) for key in settings.leftovers)
    return kind or (Controlled if has_units else TextToImage)


def _enlarging(settings: Settings) -> FromText:
    """Of a picture that no prompt has made."""
    given = {name: _value(Enlarge, name, settings.pictures[name]) for name in ("filter", "factor") if name in settings.pictures}
    if size := re.fullmatch(r"(\d{1,5})x(\d{1,5})", settings.leftovers.get(UPSCALE_TO, "")):
        given |= {"by": BY_SIZE, "width": int(size[1]), "height": int(size[2])}
    taken, notes = admitted(Enlarge, given)
    known = settings.pictures.get("image", "")
    return FromText(replace(Enlarge(), **taken), (*notes, *(() if known else (NO_PICTURE,))), {(-1, "image"): known} if known else {})


def _value(kind: type[Request], name: str, text: str) -> object:
    if name == "inverted":
        return text.casefold() == "inpaint not masked"
    item = next(item for item in fields(kind) if item.name == name)
    if item.type == "bool":
        return TRUTHS.get(text.casefold(), text)
    if item.type in ("int", "float"):
        return number(text)
    names = getattr(item.metadata["limit"], "names", ())
    return next((own for own in names if own.casefold() == text.casefold()), text)


def _with_tags(request: Drawing) -> tuple[Drawing, list[str]]:
    """Tags become entries, whose files are looked up by hash and by name."""
    try:
        prompt, tags = take_tags(request.prompt)
    except UserError as error:
        return request, [f"The tags stay in the prompt: {error}"]
    loras = [_lora(tag) for tag in tags if tag.kind == "lora"]
    nets = [HypernetworkUse(name=tag.name[:300], strength=tag.unet) for tag in tags if tag.kind == "hypernet"]
    dropped = [f"Only four hypernetworks can act; “{net.name[:80]}” was left out." for net in nets[4:]]
    return replace(request, prompt=prompt, loras=tuple(loras), hypernetworks=tuple(nets[:4])), dropped


def _lora(tag: Tag) -> LoraUse:
    return LoraUse(name=tag.name[:300], unet=tag.unet, text_encoder=tag.text_encoder, blocks=tag.blocks[:400])


def _lost(settings: Settings, kind: type[Drawing]) -> list[str]:
    """What nothing here stands for."""
    others = [key for key in settings.leftovers if key not in READ_ELSEWHERE and not UNIT.fullmatch(key)]
    others += [PICTURE_KEYS[name] for name in settings.pictures if name not in {item.name for item in fields(kind)}]
    notes = [f"Not used, as nothing here stands for it: {', '.join(key[:60] for key in others[:30])}."] if others else []
    if issubclass(kind, FromPicture) and not settings.pictures.get("image"):
        notes.append(NO_PICTURE)
    if issubclass(kind, Inpaint):
        notes.append("The mask is not in the text. Paint it again.")
    return notes
