"""ES modules of `static/`, joined into one: what the page loads, and how Python has a function of theirs called.

The modules import each other by relative path, so a browser, node and the type checker read them as they are. A visitor gets one
script instead of sixty: each module is a function with a scope of its own, in the order of their imports, and the script exports the
namespace of each under its name. A module here is plain enough for that:

    import { name, name as other } from "./module.js";      at the beginning of a line, as are exports
    import * as name from "./module.js";
    export const | class | function | async function        what is exported is never given another value

No module imports itself by way of others, none awaits anything while it is read, lines that begin with // or /** are comments, and no
text in `backticks` runs over the end of a line, so that lines can do without what they are indented by.

What nobody needs before they do something (`LATER`) is a second script, which `on_demand.js` fetches then; the first imports none of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

from pipelines import grammar_tables, sampler_tables
from pipelines.gallery.formats import FORMATS

STATIC = Path(__file__).parents[1] / "static"
LATER = (
    "again", "check", "clip_files", "clip_forming", "clip_frames", "compare_clips", "completion", "film",
    "gallery", "gallery_band", "gallery_bar", "gallery_grid", "gallery_hands", "gallery_images",
    "gallery_large", "gallery_pages", "gallery_places", "gallery_plan", "gallery_search", "gallery_select", "gallery_surface",
    "gallery_tile", "gallery_titles", "gallery_together", "grid_ask", "grid_axes", "grid_chosen", "grid_frame", "grid_room",
    "grid_sheet", "grid_tools", "guiding_seen",
    "inside_asked", "inside_attention", "inside_guidance", "inside_heat", "inside_latents", "inside_likeness", "inside_noise",
    "inside_page", "inside_parts", "inside_plot", "inside_walk", "inside_words", "library_devices", "lineage", "model_cards",
    "preset_ask", "preset_form", "preset_list", "prompt_history", "region_frame", "region_list", "region_over", "region_sheet",
    "stage_heat", "token_view", "turn_dial", "turn_sphere",
)  # fmt: skip
ON_DEMAND = "on_demand"  # the one module that may load another
SCRIPT_ID = "atelier-script"  # of the element that loads the script
IMPORT = re.compile(r'^import (?:\* as (?P<whole>\w+)|\{ (?P<names>[\w, ]+) \}) from "\./(?P<module>\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|class|function|async function) (\w+))", re.MULTILINE)
ODD = re.compile(r"^(?:import|export)\b.*|\bimport\(.*", re.MULTILINE)
COMMENT = re.compile(r"^[ \t]*(?://.*|/\*\*(?:.|\n)*?\*/)\n", re.MULTILINE)
RUNS_ON = re.compile(r"^[^`\n]*(?:`[^`\n]*`[^`\n]*)*`[^`\n]*$", re.MULTILINE)  # a line whose backticks are odd in number
INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
LOADED = f'import(document.getElementById("{SCRIPT_ID}").src)'  # a promise of all modules; the script is fetched and run once


def static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def modules() -> dict[str, str]:
    """Name -> text of each module: the files, and what is the server's own: tables of the prompt grammar and of samplers, formats."""
    files = {path.stem: static(path.name) for path in sorted(STATIC.glob("*.js"))}
    formats = {name: found.says for name, found in FORMATS.items()}
    tables = {
        "grammar_tables": ("tables", grammar_tables()),
        "format_names": ("formats", formats),
        "sampler_tables": ("options", sampler_tables()),
    }
    return files | {name: f"export const {said} = {literal(told)};\n" for name, (said, told) in tables.items()}


def first_script() -> str:
    """What the page loads."""
    return joined({name: text for name, text in modules().items() if name not in LATER})


def later_script() -> str:
    """What is fetched when it is needed. It takes what it imports of the first script out of that."""
    known = modules()
    return joined({name: known[name] for name in LATER}, [name for name in known if name not in LATER])


def joined(texts: Mapping[str, str], loaded: Sequence[str] = ()) -> str:
    """One module that exports the namespace of each. Raises `ValueError` for one that is not there, or not as plain as said above.

    `loaded`: names of what the page has loaded before.
    """
    needs = {name: [found["module"] for found in IMPORT.finditer(text)] for name, text in texts.items()}
    if lost := sorted({module for modules in needs.values() for module in modules} - {*texts, *loaded}):
        raise ValueError(f"There is no module {lost[0]}.js.")
    order = [name for name in TopologicalSorter(needs).static_order() if name in texts]
    taken = f"const {{ {', '.join(f'{name}: {_inner(name)}' for name in loaded)} }} = await {LOADED};" if loaded else ""
    scopes = (_scope(name, texts[name]) for name in order)
    return "\n".join((taken, *scopes, f"export {{ {', '.join(f'{_inner(name)} as {name}' for name in sorted(texts))} }};\n")).lstrip()


def _scope(name: str, text: str) -> str:
    imports = "".join(f"const {_taken(found)} = {_inner(found['module'])};\n" for found in IMPORT.finditer(text))
    body = EXPORT.sub("", IMPORT.sub("", COMMENT.sub("", text)))
    if odd := (name != ON_DEMAND and ODD.search(body)) or RUNS_ON.search(body):
        raise ValueError(f"{name}.js is not as plain as ui/parts/scripts.py asks: {odd[0]}")
    exports, plain = ", ".join(EXPORT.findall(text)), INDENT.sub("", body).strip()
    return f"// {name}.js\nconst {_inner(name)} = (() => {{\n{imports}{plain}\nreturn Object.freeze({{ {exports} }});\n}})();"


def _taken(found: re.Match[str]) -> str:
    return found["whole"] or f"{{ {found['names'].replace(' as ', ': ')} }}"


def _inner(name: str) -> str:
    """What a namespace is called beside the scopes, where no module can see another thing of this name."""
    return f"${name}"


def call(module: str, function: str, *given: object, takes: str = "") -> str:
    """For `js=` of a handler: a function of these arguments that calls one of a module's. That is given `given` first, and "...values" as
    a list."""
    handed = ", ".join((*map(literal, given), *filter(None, [takes.removeprefix("...")])))
    return f"async ({takes}) => (await {LOADED}).{module}.{function}({handed})"


def literal(value: object) -> str:
    """The value as JavaScript that may stand inside a script element."""
    return json.dumps(value).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def events(module: str) -> Iterable[str]:
    """The names, in quotes, of what a component's module triggers."""
    return re.findall(r'trigger\(("\w+")', static(f"{module}.js"))
