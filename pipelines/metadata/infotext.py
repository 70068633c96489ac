"""A picture's settings as the text that other studios read and write (A1111 "infotext"), both ways.

    a red house, snow
    Negative prompt: blurry
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5, Seed: 7, Size: 256x256, Model: starter, Version: Atelier 0.1

LoRAs and hypernetworks stand in the prompt as tags, <lora:name:0.8>, as other studios write them.

The text cannot hold every prompt: one with a line that begins with "Negative prompt:" reads back as something else. Where that
would happen the exact prompts are added to the last line under keys of our own, which other programs ignore.

Format: AUTOMATIC1111/stable-diffusion-webui v1.10.1, modules/infotext_utils.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from pipelines.metadata import tile_text
from pipelines.metadata.admitting import admitted
from pipelines.metadata.detail_text import detail_pairs
from pipelines.metadata.hires_text import hires_pairs, is_told, read_hires
from pipelines.metadata.provenance import ENLARGER, OURS_ALONE, UPSCALERS
from pipelines.metadata.region_text import region_pairs
from pipelines.metadata.settings_text import LONGEST, NEGATIVE, take_apart
from pipelines.metadata.text_keys import (
    EXACT,
    HIRES,
    KEYS,
    LAST,
    ORDER,
    OURS,
    PICTURE_KEYS,
    SAME,
    SEAMLESS,
    SELDOM,
    SIZE,
    TEMPLATES,
    UPSCALE_TO,
)
from pipelines.metadata.two_passes import TILED, both, of_both, unsized
from pipelines.metadata.unit_text import SHOWN_HASH, TRUTHS, unit_text
from pipelines.programs.names import Near, instead, sampler_of, schedule_of, suiting
from pipelines.prompts.grammar import is_read_otherwise
from pipelines.prompts.tags import write_tags
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.enlarge import BY_SIZE, THE_FILTER
from pipelines.requests.fields import Flag, Range
from pipelines.requests.guidance import NOT_SEAMLESS, Guided
from pipelines.requests.request import Details, Drawing, Enlarge, ImageToImage, Request, SecondPass, TextToImage, Wordless, limits
from pipelines.samplers import SAMPLERS, SCHEDULES
from pipelines.wildcards.unsaid import heard

__all__ = ["LONGEST", "Settings", "number", "parse", "write"]

JOINED = {"Both": "True", NOT_SEAMLESS: "False"}  # of a seamless picture, as A1111 writes it


@dataclass(frozen=True)
class Settings:
    """Settings that a text says. `values` are request fields within their limits; the caller looks the model up by name or hash."""

    values: dict[str, object]
    leftovers: dict[str, str] = field(default_factory=dict[str, str])  # keys that no request field stands for, as they were written
    notes: tuple[str, ...] = ()  # one sentence for each value that was not taken
    pictures: dict[str, str] = field(default_factory=dict[str, str])  # fields of what begins with a picture, as they were written
    guessed: dict[str, str] = field(default_factory=dict[str, str])  # field -> why its value is only the nearest one
    version: str = ""  # of the program that wrote it, as it says


def write(request: Request, made_with: dict[str, str]) -> str:
    """The settings of one picture as A1111 text. `parse` gives the same field values back, for every request."""
    facts = {key: value for key, value in made_with.items() if key not in OURS | OURS_ALONE and re.fullmatch(r"\w[\w \-/]{1,80}", key)}
    if isinstance(request, SecondPass) and (passes := both(request)):
        request, facts = passes, of_both(request, facts)
    if isinstance(request, Drawing):
        hires = {key: _number_text(value) for key, value in hires_pairs(request, made_with | facts).items()}
        enlarged = {ENLARGER: made_with.get(ENLARGER, enlarger)} if (enlarger := enlarger_of(request)) else {}
        return _drawing_text(request, _drawing_pairs(request) | hires | enlarged | facts)
    if isinstance(request, Wordless):
        return _whole("", _wordless_pairs(request) | facts | LAST)
    named = {key: name for key in UPSCALERS if isinstance(request, Enlarge) and request.upscaler and (name := made_with.get(key))}
    return _whole("", _picture_pairs(request) | named | facts | LAST)


def _drawing_text(request: Drawing, pairs: dict[str, str]) -> str:
    prompts = {name: getattr(request, name) for name in EXACT}
    prompts["prompt"] += write_tags(request.loras, request.hypernetworks)
    text = _prompts_text(**{name: heard(prompt) for name, prompt in prompts.items()})
    whole = _whole(text, pairs | LAST)
    read = take_apart(whole)
    if {name: getattr(read, name) for name in EXACT} == prompts:
        return whole
    return _whole(text, pairs | {key: prompts[name] for name, key in EXACT.items()} | LAST)


def _drawing_pairs(request: Drawing) -> dict[str, str]:
    pairs = {key: _number_text(getattr(request, name)) for name, key in KEYS.items() if name not in SELDOM or _chosen(request, name)}
    pairs[SIZE] = f"{request.width}x{request.height}"
    pairs |= {SEAMLESS: JOINED.get(how, how)} if (how := getattr(request, "seamless", NOT_SEAMLESS)) != NOT_SEAMLESS else {}
    pairs |= {KEYS["language"]: str(request.language)} if reads_otherwise(request) else {}
    pairs |= {key: template for name, key in TEMPLATES.items() if (template := getattr(request, name, ""))}
    details = detail_pairs(request) if isinstance(request, Details) else {}
    return (
        pairs
        | _picture_pairs(request)
        | details
        | region_pairs(request)
        | {f"ControlNet {place}": unit_text(use) for place, use in enumerate(request.controls)}
    )


def _wordless_pairs(request: Wordless) -> dict[str, str]:
    width, height = request.size
    own = {key: _number_text(getattr(request, name)) for name, key in KEYS.items() if name in limits(type(request))}
    return own | {SIZE: f"{width}x{height}"} | _picture_pairs(request)


def reads_otherwise(request: Drawing) -> bool:
    """Whether its prompts say something else in an older language."""
    return is_read_otherwise(request.prompt) or is_read_otherwise(request.negative_prompt, joins=False)


def _picture_pairs(request: Request) -> dict[str, str]:
    own = limits(type(request))
    pairs = {key: _picture_text(name, getattr(request, name)) for name, key in PICTURE_KEYS.items() if name in own}
    if isinstance(request, Enlarge):
        return _enlarge_pairs(request, pairs)
    return pairs | tile_text.tile_pairs(unsized(request) if isinstance(request, TextToImage) and request.hires else request)


def _enlarge_pairs(request: Enlarge, pairs: dict[str, str]) -> dict[str, str]:
    """Without what does not act. The upscalers take the filter's place; where one is blended with the filter, that is the second."""
    without = {"factor"} if request.by == BY_SIZE else set[str]()
    without |= set() if request.upscaler else {"blend", "upscaler_tile", "upscaler_overlap"}
    without |= set() if request.second else {"blend"}
    found = {key: text for key, text in pairs.items() if key not in {PICTURE_KEYS[name] for name in without}}
    if request.by == BY_SIZE:
        found[UPSCALE_TO] = f"{request.width}x{request.height}"
    if request.second == THE_FILTER:
        found[UPSCALERS[1]] = request.filter
    return found


def parse(text: str) -> Settings:
    """What the text says, checked value by value against the limits of a request. Never raises for what the text holds.

    A text without a line of settings is a prompt. Absent fields are absent from `values`.
    """
    read = take_apart(text)
    pairs = {SAME.get(key.casefold(), key): value for key, value in read.pairs.items()}
    prompts = {name: getattr(read, name) for name in EXACT}
    values: dict[str, object] = {**prompts} if pairs or read.negative_prompt else {"prompt": read.prompt}
    values |= {name: pairs[key] for name, key in EXACT.items() if key in pairs}
    values |= _known_values(pairs)
    near, guessed = _sampler_and_schedule(pairs, KEYS, pairs.get("Version", ""))
    tiles = tile_text.tile_values(pairs)
    pictures = {name: pairs[key] for name, key in PICTURE_KEYS.items() if key in pairs}
    if is_told(pairs) and "image" not in pictures:
        tiles = {TILED[name]: text for name, text in tiles.items()}  # of the second pass alone
    pictures |= tiles
    beside = {"tiling": tiles["tiling"]} if "tiling" in tiles else {}  # with it a picture may be larger
    taken, notes = admitted(ImageToImage if beside else TextToImage, values | near, beside)
    second, guessed_too = _second_pass(pairs, pictures)
    taken_too, notes_too = admitted(TextToImage, second)
    taken, notes, guessed = taken | taken_too, (*notes, *notes_too), guessed | guessed_too
    behind = (f"Not read, as it stands behind the settings: “{_short(read.behind)}”",) if read.behind else ()
    leftovers = {key: value for key, value in pairs.items() if key not in OURS}
    return Settings(taken, leftovers, (*notes, *guessed.values(), *behind), pictures, guessed, pairs.get("Version", ""))


def _chosen(request: Request, name: str) -> bool:
    return getattr(request, name) != next(item.default for item in fields(request) if item.name == name)


def _prompts_text(prompt: str, negative_prompt: str) -> str:
    return f"{prompt}\n{NEGATIVE} {negative_prompt}" if negative_prompt else prompt


def _whole(text: str, pairs: dict[str, str]) -> str:
    told = sorted(pairs.items(), key=lambda pair: ORDER.get(pair[0], len(ORDER)))
    return f"{text}\n{', '.join(f'{key}: {_quote(value)}' for key, value in told)}".strip()


def _short(text: str) -> str:
    text = " ".join(text[:500].split())
    return text if len(text) <= 80 else f"{text[:80]}…"


def _known_values(pairs: dict[str, str]) -> dict[str, object]:
    texts = {"second_prompt", "sigmas"}
    joined = {text.casefold(): how for how, text in JOINED.items()}
    flags = {item.name for item in fields(Guided) if isinstance(item.metadata["limit"], Flag)}
    values: dict[str, object] = {name: pairs[key] if name in texts else number(pairs[key]) for name, key in KEYS.items() if key in pairs}
    values |= {"seamless": joined.get(pairs[SEAMLESS].casefold(), pairs[SEAMLESS])} if SEAMLESS in pairs else {}
    values |= {name: TRUTHS.get(pairs[KEYS[name]].casefold(), pairs[KEYS[name]]) for name in flags if KEYS[name] in pairs}
    values |= {name: pairs[key] for name, key in (TEMPLATES | {"enlarged_by": ENLARGER}).items() if key in pairs}
    size = re.fullmatch(r"(\d{1,9}) ?[x×] ?(\d{1,9})", pairs.get(SIZE, ""))
    if size:
        values |= {"width": int(size[1]), "height": int(size[2])}
    elif SIZE in pairs:
        values["width"] = pairs[SIZE]
    return values


def _sampler_and_schedule(
    pairs: Mapping[str, str], keys: Mapping[str, str], version: str, passes: str = ""
) -> tuple[dict[str, str], dict[str, str]]:
    """Our names for both, and why where one is only the nearest; "DPM++ 2M Karras" (before A1111 1.9) names both. Unknown names stay.

    `keys`: "sampler" and "schedule" -> what is asked for in `pairs`. `version`: of the program that wrote it. `passes`: begins the names of
    the fields.
    """
    values: dict[str, str] = {}
    guessed: dict[str, str] = {}
    if sampler := pairs.get(keys["sampler"]):
        near = sampler_of(sampler)
        _put(values, guessed, f"{passes}sampler", sampler, near)
        values |= {f"{passes}schedule": near.schedule} if near.schedule else {}
    if schedule := pairs.get(keys["schedule"]):
        _put(values, guessed, f"{passes}schedule", schedule, schedule_of(schedule, version))
    chosen, drawn = values.get(f"{passes}sampler"), values.get(f"{passes}schedule")
    if chosen in SAMPLERS and drawn in SCHEDULES:
        values[f"{passes}schedule"] = suiting(chosen, drawn)
    return values, guessed


def _second_pass(pairs: dict[str, str], pictures: dict[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """The fields of a second pass, and why where one is only the nearest. The denoising strength is its own, unless a picture is told
    that the whole begins with.
    """
    if not is_told(pairs):
        return {}, {}
    told = read_hires(pairs)
    if "image" not in pictures and "denoising_strength" in pictures:
        told["hires_strength"] = pictures.pop("denoising_strength")
    near, guessed = _sampler_and_schedule(told, HIRES, pairs.get("Version", ""), "hires_")
    numbers = {name for name, item in limits(TextToImage).items() if isinstance(item, Range)}
    values: dict[str, object] = {name: number(text) if name in numbers else text for name, text in told.items()}
    return {"hires": True} | values | near, guessed


def _put(values: dict[str, str], guessed: dict[str, str], name: str, written: str, near: Near) -> None:
    values[name] = near.name or written
    if near.name and not near.sure:
        guessed[name] = instead(written, near.name)


def number(text: str) -> int | float | str:
    """The number that the text holds; the text itself when it holds none, so that the request refuses it by name."""
    if not re.fullmatch(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,3})?", text, re.ASCII | re.IGNORECASE):
        return text
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def _number_text(value: object) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, int | float) else str(value)


def _picture_text(name: str, value: object) -> str:
    """As other studios write it."""
    if name in ("image", "map"):
        return str(value)[:SHOWN_HASH]
    if name == "inverted":
        return "Inpaint not masked" if value else "Inpaint masked"
    return _number_text(value)


def _quote(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r'[,:"\r\n]', value) or value != value.strip() else value
