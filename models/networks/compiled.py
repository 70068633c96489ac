"""Compiled blocks: those of a UNet that repeat are compiled beside the jobs, and used from the next job on, so that nobody waits.

A job's calls are looked at; each kind of block with each shape of what it reads is a kind of its own. Behind the job, a thread compiles
copies of these blocks that have no weights of the model, and the next job at a card finds them. What was compiled is only ever looked up
there: a block that is not as it was (a hook, another attention, other shapes) runs as it is written, in that call, and nothing is compiled
while somebody draws. Weights are what the compiled code is given, so LoRAs act in it as they do outside.
"""

from __future__ import annotations

import copy
import logging
import queue
import threading
from collections.abc import Callable, Generator, Hashable, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from models.memory.forecast import drop_frames, is_out_of_memory

log = logging.getLogger(__name__)

REGIONS = ("BasicTransformerBlock", "ResnetBlock2D")  # of diffusers; nearly all of a UNet's time
MOST_KINDS = 256  # of blocks and shapes; further ones run as they are written
IDLE = 1.0  # seconds after which the thread ends that has nothing to compile

Call = Callable[..., Any]  # Any: what a block gives
Given = tuple[tuple[Any, ...], dict[str, Any]]  # Any: positional arguments and those with names, of a block
State = Literal["pending", "ready", "refused"]


@dataclass
class Use:
    """What of one job ran compiled."""

    calls: int = 0
    wanted: dict[Hashable, tuple[nn.Module, Given]] = field(default_factory=dict[Hashable, tuple[nn.Module, Given]])

    @property
    def told(self) -> dict[str, str]:
        """As the record of a picture names it."""
        return {"Compiled": "yes" if self.calls else "no"}


class Compiler:
    """Compiles the blocks that jobs call. One thread draws, another one compiles."""

    def __init__(self, backend: str | Call = "inductor") -> None:
        """`backend`: of `torch.compile`."""
        self._backend = backend
        self._compiled: dict[Hashable, Call] = {}  # kind -> what looks it up and runs it
        self._states: dict[Hashable, State] = {}
        self._waiting: queue.SimpleQueue[tuple[Hashable, nn.Module, Given]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> int:
        """Kinds that are not compiled yet."""
        return self._count("pending")

    @property
    def ready(self) -> int:
        return self._count("ready")

    @property
    def refused(self) -> int:
        """Kinds that run as they are written for good."""
        return self._count("refused")

    def _count(self, wanted: State) -> int:
        return sum(state == wanted for state in list(self._states.values()))

    @contextmanager
    def at_work(self, networks: Iterable[nn.Module], use: Use) -> Generator[None]:
        """The networks' blocks run compiled for the length of the block, those that are ready now; the others are compiled afterwards.

        `use` is led on.
        """
        ready = dict(self._compiled)
        blocks = {id(module): module for network in networks for module in network.modules() if type(module).__name__ in REGIONS}
        with ExitStack() as stack:
            for block in blocks.values():
                _install(block, _Region(block, use, ready, self), stack)
            yield
        self._compile_soon(use)

    def knows(self, kind: Hashable) -> bool:
        return kind in self._states or len(self._states) >= MOST_KINDS

    def refuse(self, kind: Hashable, error: BaseException) -> None:
        """From the next job on it runs as it is written."""
        log.warning("a block runs as it is written, and not compiled: %s", drop_frames(error))
        self._compiled.pop(kind, None)
        self._states[kind] = "refused"

    # ---------------------------------------------------------------------------------------------- beside the jobs

    def _compile_soon(self, use: Use) -> None:
        for kind, (block, given) in use.wanted.items():
            if not self.knows(kind):
                self._states[kind] = "pending"
                self._waiting.put((kind, outline(block), given))
        with self._lock:
            if self._thread is None and not self._waiting.empty():
                self._thread = threading.Thread(target=self._work, name="compiling")  # a compiler must not be torn off
                self._thread.start()

    def _work(self) -> None:
        """Until there is nothing left, or the program ends."""
        while threading.main_thread().is_alive():
            try:
                kind, block, given = self._waiting.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    if self._waiting.empty():
                        self._thread = None
                        return
                continue
            try:
                self._compiled[kind] = self._compile(block, given)
                self._states[kind] = "ready"
            except Exception as error:  # noqa: BLE001  # compilers fail in many ways, and nobody waits for this one
                self.refuse(kind, error)

    def _compile(self, block: nn.Module, given: Given) -> Call:
        """Calls a block without a meaning once, which compiles it. What this gives never compiles."""
        plain = _own_function()
        device = next(value.device for value in tree_leaves(given, is_leaf=_is_outline) if isinstance(value, Outline))
        with torch.inference_mode(False):
            block.to_empty(device=device)
        with torch.inference_mode():
            arguments, keywords = tree_map(_zeros, given, is_leaf=_is_outline)
            torch.compile(plain, backend=self._backend, fullgraph=True, dynamic=False)(block, *arguments, **keywords)  # pyright: ignore[reportUnknownMemberType]
        from torch._dynamo import run

        return cast(Call, run(plain))


class _Region:
    """Stands for one block during a job."""

    def __init__(self, block: nn.Module, use: Use, ready: dict[Hashable, Call], compiler: Compiler) -> None:
        self._block, self._use, self._ready, self._compiler = block, use, ready, compiler
        self._modules = list(block.modules())
        self._sizes = repr(block), tuple(map(_form, block.parameters()))
        self._kinds: dict[Hashable, Hashable] = {}  # by the shapes of what it reads; one is made of many parts

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # Any: as the block is called
        kind = self._kind(arguments, keywords)
        compiled = self._ready.get(kind)
        if compiled is None or self._is_listened_to:
            return _called(self._block, *arguments, **keywords)
        try:
            answer = compiled(self._block, *arguments, **keywords)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            del self._ready[kind]
            self._compiler.refuse(kind, error)
            return _called(self._block, *arguments, **keywords)
        self._use.calls += 1
        return answer

    @property
    def _is_listened_to(self) -> bool:
        """By hooks, which compiled code would not call: of hypernetworks, of who looks on, of layers that come in turn."""
        return is_listened_to(self._modules)

    def _kind(self, arguments: tuple[object, ...], keywords: dict[str, object]) -> Hashable:
        shapes = tuple(_form(value) for value in (*arguments, *keywords.items()))
        if shapes not in self._kinds:
            kind = self._kinds[shapes] = hash((type(self._block).__name__, self._sizes, shapes))
            if not self._compiler.knows(kind):
                self._use.wanted[kind] = self._block, tree_map(_outlined, (arguments, keywords))
        return self._kinds[shapes]


def _install(block: nn.Module, region: _Region, stack: ExitStack) -> None:
    """Where torch itself keeps the compiled form of a module."""
    block._compiled_call_impl = region  # pyright: ignore[reportPrivateUsage]
    stack.callback(delattr, block, "_compiled_call_impl")


def is_listened_to(modules: Iterable[nn.Module]) -> bool:
    """Whether something hears their calls, or takes part in them."""
    hooks = ("_forward_pre_hooks", "_forward_hooks")  # torch asks them by these names alone
    return any(getattr(module, name) for module in modules for name in hooks)


def outline(block: nn.Module) -> nn.Module:
    """The block without its numbers, on meta."""
    tensors = (*block.parameters(), *block.buffers())
    with torch.inference_mode(False):
        empty = {id(tensor): torch.empty_like(tensor, device="meta") for tensor in tensors}
        memo = {
            key: nn.Parameter(each, requires_grad=False) if isinstance(tensor, nn.Parameter) else each
            for tensor, (key, each) in zip(tensors, empty.items(), strict=True)
        }
        return copy.deepcopy(block, cast("dict[int, object]", memo))


def _own_function() -> FunctionType:
    """A function of its own for each kind: compiled code is kept by function, and a long list of it is slow to search."""
    return FunctionType(_called.__code__.replace(), globals(), "called", None, _called.__closure__)


def _called(block: nn.Module, *arguments: Any, **keywords: Any) -> Any:  # Any: as a block is called
    return block._call_impl(*arguments, **keywords)  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]


def _form(value: object) -> Hashable:
    """What the compiled code of a call depends on. It holds no tensor."""
    if isinstance(value, Tensor):
        return Outline(value.shape, value.stride(), value.dtype, value.device)
    if isinstance(value, tuple | list):
        return tuple(map(_form, cast("Iterable[object]", value)))
    if isinstance(value, dict):
        return _form(list(cast("dict[object, object]", value).items()))
    return repr(value)


class Outline(NamedTuple):
    """A tensor without its numbers."""

    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device


def _outlined(value: object) -> object:
    return _form(value) if isinstance(value, Tensor) else value


def _zeros(value: object) -> object:
    return torch.empty_strided(*value[:2], dtype=value.dtype, device=value.device).zero_() if isinstance(value, Outline) else value


def _is_outline(value: object) -> bool:
    return isinstance(value, Outline)
