"""Types of Gradio's that its own annotations leave open: keywords, updates, events of components, and its queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ui.gradio_import import gradio_stubs_untouched

with gradio_stubs_untouched():
    import gradio as gr
    from gradio.block_function import BlockFunction
    from gradio.components import Component
    from gradio.events import Dependency
    from gradio.queueing import Queue

Keyword = Any  # Any: of one of Gradio's components or events, each of a type of its own
Update = dict[str, Any]  # Any: what `gr.update` makes, a keyword of the component that it is for
Updates = dict[Component | gr.Tabs, Update | gr.Tabs]

QUIET: dict[str, Keyword] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
CALM: dict[str, Keyword] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}


def keywords(*those: Mapping[str, Keyword], **more: Keyword) -> dict[str, Keyword]:
    """All of them together; one that comes later takes the place of an earlier one."""
    return {name: value for each in (*those, more) for name, value in each.items()}


def listener(component: Component, event: str) -> Callable[..., Dependency]:
    """What a handler is given to, to hear of an event: also of those that only a script of ours tells, which no type of Gradio's names."""
    return getattr(component, event)


def skip() -> Update:
    """An update that leaves a component as it is."""
    return gr.skip()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Gradio says "dict"


def handler_of(function: BlockFunction) -> Callable[..., object] | None:
    """What runs when the event comes; nothing where only the browser has something to do."""
    return cast(Callable[..., object] | None, function.fn)  # pyright: ignore[reportUnknownMemberType]


def number_of(function: BlockFunction) -> int:
    return function._id  # pyright: ignore[reportPrivateUsage]


def queue_of(blocks: gr.Blocks) -> Queue:
    """Gradio offers no other way to its queue."""
    return blocks._queue  # pyright: ignore[reportPrivateUsage]
