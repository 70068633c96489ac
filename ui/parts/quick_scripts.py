"""Gradio's scripts, with two functions made quick that are slow in every page, where a script is the very one that is known here.

The page is a tree of components, and whenever one of them is read or changed Gradio walks that tree until it meets its number: thousands of
walks over a thousand components while a page opens. Here the way to each component is noted, and followed; the walk is what happens when
it leads elsewhere, since the tree has changed.

What is waited for has a clock, which asks for every frame that the screen can show. The one of the page itself is taken away while it goes,
and Gradio lets it go on: an open page was never at rest. Here a clock ends with what it stands on.

A Gradio that is written otherwise is served as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
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
CLOCK = "function ze(){me(()=>{F(Pe,(performance.now()-w(de))/1e3),W&&ze()})}"
ENDED = "function ze(){me(()=>{F(Pe,(performance.now()-w(de))/1e3),W&&=!!U,W&&ze()})}"  # U: the element that it stands on


@dataclass(frozen=True, slots=True)
class Function:
    """A function of Gradio's, as it is written and as it is sent, and the names of the scripts among which it is."""

    names: str
    written: str
    sent: str

    def script(self, folder: Path) -> tuple[str, str] | None:
        """Name and text of its script as it is sent, or None where nothing in this folder of Gradio's is the script that is known."""
        for path in sorted(folder.glob(self.names)):
            if (text := path.read_text("utf-8")).count(self.written) == 1:
                return path.name, text.replace(self.written, self.sent)
        return None


FUNCTIONS = (Function("core-*.js", WALK, FOLLOWED), Function("statustracker-*.js", CLOCK, ENDED))


def quick_scripts(folder: Path = FILES) -> Iterator[tuple[str, str]]:
    """Name and text of each script that is sent otherwise than it is written."""
    return (found for function in FUNCTIONS if (found := function.script(folder)))
