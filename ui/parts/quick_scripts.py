"""Gradio's scripts, with four functions made quick that are slow in every page, where a script is the very one that is known here.

The page is a tree of components, and whenever one of them is read or changed Gradio walks that tree until it meets its number: thousands of
walks over a thousand components while a page opens. Here the way to each component is noted, and followed; the walk is what happens when
it leads elsewhere, since the tree has changed.

For each of these components Gradio looks through all that listens on the page for what listens to this one, twice while a page opens. Here
that is sorted by component once.

When the tree has been made of what the server told, and before anything of it is seen, Gradio makes it a second time of the very same,
and gives each component its values once more. Here it is made again when there is something else to make it of, or when that is asked for
later.

What is waited for has a clock, which asks for every frame that the screen can show. The one of the page itself is taken away while it goes,
and Gradio lets it go on: an open page was never at rest. Here a clock ends with what it stands on.

A Gradio that is written otherwise is served as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ui.gradio_import import gradio_stubs_untouched

with gradio_stubs_untouched():
    import gradio

FILES = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
WALK = "function Z(e,t){if(e.id===t)return e;if(e.children)for(let n of e.children){let e=Z(n,t);if(e)return e}return null}"
FOLLOWED = """var Zways=new WeakMap;function Z(e,t){let n=Zways.get(e);n||Zways.set(e,n=new Map);\
let r=n.get(t),i=r&&e;for(let e of r||[])if(!(i=i.children?.[e]))break;if(i&&i.id===t)return i;\
n.clear();\
let a=null,o=(e,r)=>{let i=e.id;n.has(i)||n.set(i,r);i===t&&(a??=e);e.children?.forEach((e,t)=>o(e,[...r,t]))};return o(e,[]),a}"""
LISTENS = (
    "find_attached_events(e,t){let n=t.filter(t=>t.targets.find(([t])=>t===e.id)).map(t=>{let n=t.targets.find(([t])=>t===e.id);"
    "return n?n[1]:null}).filter(Boolean);return e.props.shared_props.attached_events=n,e}"
)
# The list of all that listens may be another one later, or a longer one. Of several targets in one component the first one counts.
SORTED = (
    "find_attached_events(e,t){let n=(this.listening??=new WeakMap).get(t);if(n?.of!==t.length){n={of:t.length,by:new Map};"
    "for(let e of t){let t=new Map;for(let[n,r]of e.targets)t.has(n)||t.set(n,r);"
    "for(let[e,r]of t)r&&(n.by.get(e)??n.by.set(e,[]).get(e)).push(r)}"
    "this.listening.set(t,n)}return e.props.shared_props.attached_events=[...n.by.get(e.id)??[]],e}"
)
AGAIN = "reload(e,t,n,r){this.#t=t,"
# Fields: what the tree was made of. Only what is asked for first can be in vain: later calls have a reason of their own.
ONCE = "reload(e,t,n,r){if(!this.begun&&(this.begun=!0,this.#e===e&&this.#t===t&&this.#n===n))return;this.#t=t,"
CLOCK = "function ze(){me(()=>{F(Pe,(performance.now()-w(de))/1e3),W&&ze()})}"
ENDED = "function ze(){me(()=>{F(Pe,(performance.now()-w(de))/1e3),W&&=!!U,W&&ze()})}"  # U: the element that it stands on


@dataclass(frozen=True, slots=True)
class Script:
    """`functions`: of Gradio's, as they are written and as they are sent; `names`: of the scripts among which they are."""

    names: str
    functions: Mapping[str, str]

    def sent(self, folder: Path) -> tuple[str, str] | None:
        """Name and text as it is sent, or None where nothing in this folder of Gradio's has a function that is known."""
        for path in sorted(folder.glob(self.names)):
            text = path.read_text("utf-8")
            known = [written for written in self.functions if text.count(written) == 1]
            for written in known:
                text = text.replace(written, self.functions[written])
            if known:
                return path.name, text
        return None


SCRIPTS = (Script("core-*.js", {WALK: FOLLOWED, LISTENS: SORTED, AGAIN: ONCE}), Script("statustracker-*.js", {CLOCK: ENDED}))


def quick_scripts(folder: Path = FILES) -> Iterator[tuple[str, str]]:
    """Name and text of each script that is sent otherwise than it is written."""
    return (found for script in SCRIPTS if (found := script.sent(folder)))
