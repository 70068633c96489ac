"""Gradio's script, with its one slow search made quick, where the script is the very one that is known here.

The page is a tree of components, and whenever one of them is read or changed Gradio walks that tree until it meets its number: thousands of
walks over a thousand components while a page opens. Here the way to each component is noted, and followed; the walk is what happens when
it leads elsewhere, since the tree has changed. A Gradio that is written otherwise is served as it is.
"""

from __future__ import annotations

from pathlib import Path

from ui.gradio_import import gradio_stubs_untouched

with gradio_stubs_untouched():
    import gradio

FILES = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
NAMES = "core-*.js"
WALK = "function Z(e,t){if(e.id===t)return e;if(e.children)for(let n of e.children){let e=Z(n,t);if(e)return e}return null}"
FOLLOWED = """var Zways=new WeakMap;function Z(e,t){let n=Zways.get(e);n||Zways.set(e,n=new Map);\
let r=n.get(t),i=r&&e;for(let e of r||[])if(!(i=i.children?.[e]))break;if(i&&i.id===t)return i;\
n.clear();\
let a=null,o=(e,r)=>{let i=e.id;n.has(i)||n.set(i,r);i===t&&(a??=e);e.children?.forEach((e,t)=>o(e,[...r,t]))};return o(e,[]),a}"""


def quick_script(folder: Path = FILES) -> tuple[str, str] | None:
    """Name and text of the script as it is sent, or None where nothing in this folder of Gradio's is the script that is known."""
    for path in sorted(folder.glob(NAMES)):
        if (text := path.read_text("utf-8")).count(WALK) == 1:
            return path.name, text.replace(WALK, FOLLOWED)
    return None
