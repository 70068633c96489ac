"""A request from a settings text: of the kind that its keys belong to, with everything that is found, and the rest named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from itertools import islice

from models.errors import UserError
from pipelines.metadata.admitting import admitted
from pipelines.metadata.detail_text import read_details, read_theirs, told_details, understood
from pipelines.metadata.hires_text import CHECKPOINT, UPSCALER_HASH, lora_of, with_hires_tags
from pipelines.metadata.infotext import Settings, number
from pipelines.metadata.lists import unlisted
from pipelines.metadata.provenance import ENLARGER, OURS_ALONE, UPSCALERS
from pipelines.metadata.region_text import is_of_regions, read_regions, with_theirs
from pipelines.metadata.text_keys import PICTURE_KEYS, UPSCALE_TO
from pipelines.metadata.tile_text import FIELDS as TILE_FIELDS
from pipelines.metadata.two_passes import TILED
from pipelines.metadata.unit_text import TRUTHS, read_unit
from pipelines.prompts.tags import take_tags
from pipelines.requests.added import MOST_LORAS, STRONGEST
from pipelines.requests.enlarge import BY_SIZE, FILTER_NAMES, THE_FILTER
from pipelines.requests.region import REGIONS
from pipelines.requests.request import (
    Clip,
    Controlled,
    Depth,
    Details,
    Drawing,
    Enlarge,
    HypernetworkUse,
    ImageToImage,
    Inpaint,
    LoraUse,
    Outpaint,
    Request,
    SecondPass,
    TextToImage,
    Turn,
    Upscale,
    WithPicture,
    Wordless,
    limits,
)

UNIT = re.compile(r"ControlNet (\d{1,2})", re.IGNORECASE)
# Which kind a text is of: the first one that has a field of its own in it.
OWN: tuple[tuple[type[Drawing], tuple[str, ...]], ...] = (
    (Outpaint, ("left", "right", "top", "bottom")),
    (Depth, ("estimator", "map", "map_inverted", "cut_off", "far", "near", "curve", "map_blur")),
    (Details, ("together",)),
    (Upscale, ("noise_level",)),
    (Inpaint, ("mask_blur", "masked_content", "area", "padding", "inverted", "soft")),
    (ImageToImage, ("image", "denoising_strength", "tiling")),
)
WITHOUT_WORDS: tuple[tuple[type[Wordless], tuple[str, ...]], ...] = ((Turn, ("azimuth",)), (Clip, ("frames", "motion")))
OF_TILES = {*TILED, *TILED.values()}
LORA_WEIGHTS = "Lora weights"  # Fooocus: "ink: 0.5, snow: 1", where A1111 has tags in the prompt
READ_ELSEWHERE = frozenset({
    "Model", "Model hash", "VAE", "VAE hash", "Refiner", "Refiner hash", "Lora hashes", "TI hashes", "Hypernet", "Hypernet hash",
    "ControlNet hashes", CHECKPOINT, UPSCALER_HASH, f"{ENLARGER} hash", "VAE tile", "VAE precision", "Version", "Size-1", "Size-2",
    LORA_WEIGHTS, *OURS_ALONE,
})  # fmt: skip
ENLARGING = ("filter", "factor", "blend", "upscaler_tile", "upscaler_overlap")
NO_PICTURE = "The picture that it begins with is not in the text. Put it in."


@dataclass(frozen=True)
class FromText:
    """`pictures`: (unit, or -1, and field), or `REGIONS` and a place, of an input picture -> the beginning of its id."""

    request: Request
    notes: tuple[str, ...] = ()
    pictures: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])
    unknown: dict[str, str] = field(default_factory=dict[str, str])  # what nothing here stands for
    details: dict[str, object] = field(default_factory=dict[str, object])  # fields of a request for details, of another studio's text


def request_of(settings: Settings) -> FromText:
    """Never raises for what a text holds."""
    if "filter" in settings.pictures and "steps" not in settings.values:
        return _enlarging(settings)
    if wordless := next((kind for kind, own in WITHOUT_WORDS if {*settings.pictures} & {*own}), None):
        return _wordless(settings, wordless)
    kind = _kind(settings)
    given = {name: _value(kind, name, text) for name, text in settings.pictures.items() if name in {item.name for item in fields(kind)}}
    given |= read_details(settings.leftovers) if kind is Details else {}
    pictures = {(-1, name): str(given.pop(name)) for name in ("image", "map") if given.get(name)}
    taken, notes = admitted(kind, given)
    own = limits(kind)
    asked, unfit = _together(kind, {name: value for name, value in settings.values.items() if name in own} | taken)
    request, tag_notes = with_tags(asked)
    request = replace(request, loras=request.loras or _weighed(settings.leftovers.get(LORA_WEIGHTS, "")))
    if isinstance(request, TextToImage):
        request, hires_notes = with_hires_tags(request)
        tag_notes += hires_notes
    units = [(int(found[1]), text) for key, text in settings.leftovers.items() if (found := UNIT.fullmatch(key))]
    read = [read_unit(text, place + 1) for place, text in sorted(units)[:10]]
    pictures |= {(place, name): known for place, (_, own, _) in enumerate(read) for name, known in own.items()}
    unit_notes = [note for _, _, found in read for note in found]
    request = replace(request, controls=tuple(use for use, _, _ in read))
    regions, painted, region_notes = read_regions(settings.leftovers)
    pictures |= {(REGIONS, str(place)): known for place, known in painted.items()}
    request, their_notes = with_theirs(replace(request, regions=regions), settings.leftovers)
    unknown = _unknown(settings, kind)
    detail_notes = [] if kind is Details else told_details(settings.leftovers)
    told = (
        *settings.notes,
        *notes,
        *unfit,
        *tag_notes,
        *unit_notes,
        *region_notes,
        *their_notes,
        *detail_notes,
        *lost(unknown),
        *put_in(kind, bool(settings.pictures.get("image"))),
    )
    details, _ = admitted(Details, {} if kind is Details else read_theirs(settings.leftovers))
    return FromText(request, told, pictures, unknown, details)


def _together(kind: type[Drawing], values: dict[str, object]) -> tuple[Drawing, tuple[str, ...]]:
    """Values that are sound by themselves as one request; without tiles, where they do not go with the rest."""
    try:
        return kind.admit(values), ()
    except UserError as error:
        plain, notes = admitted(kind, {name: value for name, value in values.items() if name not in OF_TILES})
        return kind.admit(plain), (f"Not taken: {error}", *notes)


def _kind(settings: Settings) -> type[Drawing]:
    found = set(settings.pictures)
    others = {name for kind, own in OWN if kind is not ImageToImage for name in own}
    if "hires" in settings.values and not found & others:
        return SecondPass if "image" in found else TextToImage
    kind = next((kind for kind, own in OWN if found & set(own)), None)
    has_units = any(UNIT.fullmatch(key) for key in settings.leftovers)
    return kind or (Controlled if has_units else TextToImage)


def _enlarging(settings: Settings) -> FromText:
    """Of a picture that no prompt has made."""
    own = [name for name in ENLARGING if name in settings.pictures]
    given = {name: _value(Enlarge, name, settings.pictures[name]) for name in own}
    if given["filter"] not in FILTER_NAMES:  # the name of an upscaler, which is looked for in the library
        del given["filter"]
    second = _value(Enlarge, "filter", settings.leftovers.get(UPSCALERS[1], ""))
    given |= {"filter": second, "second_upscaler": THE_FILTER} if second in FILTER_NAMES else {}
    if size := re.fullmatch(r"(\d{1,5})x(\d{1,5})", settings.leftovers.get(UPSCALE_TO, "")):
        given |= {"by": BY_SIZE, "width": int(size[1]), "height": int(size[2])}
    taken, notes = admitted(Enlarge, given)
    known = settings.pictures.get("image", "")
    return FromText(replace(Enlarge(), **taken), (*notes, *(() if known else (NO_PICTURE,))), {(-1, "image"): known} if known else {})


def _wordless(settings: Settings, kind: type[Wordless]) -> FromText:
    """Of a picture that a model has drawn without words."""
    own = limits(kind)
    given = {name: _value(kind, name, text) for name, text in settings.pictures.items() if name in own}
    known = str(given.pop("image", ""))
    taken, notes = admitted(kind, {name: value for name, value in settings.values.items() if name in own} | given)
    unknown = {key: text for key, text in settings.leftovers.items() if not _is_read(key)}
    told = (*settings.notes, *notes, *lost(unknown), *put_in(kind, bool(known)))
    return FromText(replace(kind(), **taken), told, {(-1, "image"): known} if known else {}, unknown)


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


def with_tags(request: Drawing) -> tuple[Drawing, list[str]]:
    """Tags become entries, whose files are looked up by hash and by name."""
    try:
        prompt, tags = take_tags(request.prompt)
    except UserError as error:
        return request, [f"The tags stay in the prompt: {error}"]
    loras = [lora_of(tag) for tag in tags if tag.kind == "lora"]
    nets = [HypernetworkUse(name=tag.name[:300], strength=tag.unet) for tag in tags if tag.kind == "hypernet"]
    dropped = [f"Only four hypernetworks can act; “{net.name[:80]}” was left out." for net in nets[4:]]
    return replace(request, prompt=prompt, loras=tuple(loras), hypernetworks=tuple(nets[:4])), dropped


def _weighed(text: str) -> tuple[LoraUse, ...]:
    weights = [(name[:300], number(weight)) for name, weight in unlisted(text)[:MOST_LORAS]]
    found = [(name, min(max(float(weight), -STRONGEST), STRONGEST)) for name, weight in weights if not isinstance(weight, str)]
    return tuple(LoraUse(name=name, unet=weight, text_encoder=weight) for name, weight in found)


def _unknown(settings: Settings, kind: type[Drawing]) -> dict[str, str]:
    """What nothing here stands for."""
    others = {key: text for key, text in settings.leftovers.items() if not _is_read(key)}
    own = {item.name for item in fields(kind)}
    passes = {"Hires upscale": "on"} if "hires" in settings.values and "hires_factor" not in own else {}
    keys = PICTURE_KEYS | TILE_FIELDS | {TILED[name]: key for name, key in TILE_FIELDS.items()}
    return others | passes | {keys[name]: text for name, text in settings.pictures.items() if name not in own}


def _is_read(key: str) -> bool:
    return key in READ_ELSEWHERE or bool(UNIT.fullmatch(key)) or understood(key) or is_of_regions(key)


def lost(unknown: Iterable[str]) -> list[str]:
    """A sentence that names them all."""
    keys = [key[:60] for key in islice(unknown, 30)]
    return [f"Not used, as nothing here stands for it: {', '.join(keys)}."] if keys else []


def put_in(kind: type[Request], has_picture: bool) -> list[str]:
    """What is to be put in or painted again."""
    notes = [NO_PICTURE] if issubclass(kind, WithPicture) and not has_picture else []
    return [*notes, *(["The mask is not in the text. Paint it again."] if issubclass(kind, Inpaint) else [])]
