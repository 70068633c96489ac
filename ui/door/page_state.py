"""Page state that Gradio keeps for each session: its tables and what was changed in them, without a copy of the whole configuration.

Gradio makes that at a session's first call, at 0.7 MB and 36 ms, for links into a page as somebody left it. Those are shut here.
"""

from __future__ import annotations

from copy import copy

from ui.gradio_import import gradio_stubs_untouched
from ui.gradio_types import Keyword

with gradio_stubs_untouched():
    import gradio as gr
    from gradio.routes import App
    from gradio.state_holder import SessionState, StateHolder

STATES = 16  # sessions; one that is dropped begins anew at its next call, as the page keeps nothing there


class LightState(SessionState):
    """A session's state whose configuration is worked out part by part, where something in it changes."""

    def __init__(self, blocks: gr.Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, Keyword] = {}
        self.state_data = {}
        self._state_ttl = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600  # seconds


class LightStates(StateHolder):
    """Of the sessions that have asked last."""

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = LightState(self.blocks)
        return super().__getitem__(session_id)


def keep_little(blocks: gr.Blocks, mounted: App) -> None:
    """To be called when the page is mounted, before its first session. `mounted`: Gradio's application."""
    blocks.state_session_capacity = STATES
    states = LightStates()
    states.set_blocks(blocks)
    mounted.state_holder = states
