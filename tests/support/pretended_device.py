"""A pretended card: a private device of torch with its own memory, which is kept in the host's. No GPU and no compiler is needed.

It stands where an extension for other hardware would (PrivateUse1, `torch.utils.backend_registration`): tensors are ordinary ones
whose storage says that it is on `card`, and every operator that torch has no kernel of its own for comes to `_Backend`. So torch's own
rules hold as on CUDA: it refuses to mix the card's tensors with the host's but for single numbers, and moves only what it is told to
move. What is hard to ask of a real card is counted here: bytes, their peak, and each time that the host waits for the card.

Kernels run on the host's view of the same numbers. Where a real card adds up half precision in float32, so does this one, and rounds once.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils import backend_registration

NAME = "card"
HOST = torch.device("cpu")
DATA: Any = torch._C.TensorBase.data  # pyright: ignore[reportAttributeAccessIssue]
ALIASES: Any = torch._C._is_alias_of  # pyright: ignore[reportAttributeAccessIssue]
aten = torch.ops.aten

# What they give, or its shape, is a number that the host must have before it goes on.
WAITED_FOR = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_consecutive", "repeat_interleave"}
SUMS = {
    "convolution", "native_group_norm", "native_layer_norm", "scaled_dot_product_attention", "mm", "bmm", "addmm", "baddbmm", "_softmax",
}  # fmt: skip
# torch breaks these up for a device that has no kernel for them, or refuses; a real card has one.
OWN = {
    "convolution_overrideable": aten.convolution.default,
    "native_group_norm": aten.native_group_norm.default,
    "native_layer_norm": aten.native_layer_norm.default,
    "scaled_dot_product_attention": aten.scaled_dot_product_attention.default,
}


class _Held(weakref.ref[torch.UntypedStorage]):
    """Room that is taken for as long as a storage lives. A weak reference of its own costs a third of `weakref.finalize`."""

    bytes: int = 0
    __hash__ = object.__hash__  # of the reference, not of what it refers to


@dataclass
class Card:
    """What the card holds, and what the host has waited for."""

    memory: float = float("inf")  # bytes; what would not fit raises `OutOfMemoryError`
    bytes: int = 0  # of the tensors that are alive
    peak: int = 0  # the most that were; whoever measures sets it back
    waited: list[str] = field(default_factory=list)
    flawed: bool = False  # its fastest kernel of attention gives no numbers, as some real ones do
    _held: set[_Held] = field(default_factory=set)

    def hold(self, storage: torch.UntypedStorage) -> None:
        """Counts it for as long as it lives."""
        held = _Held(storage, self._free)
        held.bytes = storage.nbytes()
        self.bytes += held.bytes
        self._held.add(held)
        if self.bytes > self.memory:
            raise torch.OutOfMemoryError(f"The pretended card is out of memory: {self.bytes:,} bytes of {self.memory:,}")
        self.peak = max(self.peak, self.bytes)

    def _free(self, held: _Held) -> None:
        self.bytes -= held.bytes
        self._held.discard(held)


@contextmanager
def pretended_card(memory: float = float("inf")) -> Iterator[Card]:
    """The device `card` is there for the length of the block; `memory`: its bytes. What is left on it afterwards is of no use."""
    backend = _backend()
    backend.card = Card(memory)
    torch.Tensor.data = property(DATA.__get__, _set_data)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield backend.card
    finally:
        del torch.Tensor.data
        backend.card = None


def _set_data(tensor: Tensor, content: Tensor) -> None:
    """`tensor.data = content` from one device to the other, which torch does between the devices that it knows."""
    if tensor.device != content.device and NAME in (tensor.device.type, content.device.type):
        torch._C._swap_tensor_impl(tensor, content.detach())  # pyright: ignore[reportAttributeAccessIssue]
    else:
        DATA.__set__(tensor, content)


# ------------------------------------------------------------------------------------------------ what torch is told


@lru_cache(maxsize=1)
def _backend() -> _Backend:
    """A process registers its private device once and for all. While there is no card, it says that it is not available."""
    return _Backend()


class Stream:
    """A stream beside the one that computes. Copies that are begun on it are made when somebody waits for it, and not before: until then
    there are no numbers where they go, and what they are copies of must stay as it is.
    """

    def __init__(self, device: object = None) -> None:
        self._begun: list[tuple[Tensor, Tensor]] = []

    def begin(self, target: Tensor, source: Tensor) -> None:
        target.fill_(float("nan") if target.is_floating_point() else 0)
        self._begun.append((target, source))

    def wait_stream(self, other: Stream) -> None:
        with torch.inference_mode():  # some of them may have been made in it
            for target, source in other._begun:
                target.copy_(_on_host(source))
        other._begun.clear()


class _Backend:
    """All operators of the device."""

    def __init__(self) -> None:
        self.card: Card | None = None
        self.main = Stream()  # what computes
        self.stream: Stream | None = None  # what is asked instead, within a block
        backend_registration._setup_privateuseone_for_python_backend(NAME, _Module(self), _Hooks(self))
        self._all, self._aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
        self._all.fallback(self._run, "PrivateUse1")
        self._aten.impl("_copy_from", self._copy, "PrivateUse1")
        for name, operator in OWN.items():
            self._aten.impl(name, partial(self._run, operator), "PrivateUse1")

    @property
    def there(self) -> Card:
        if self.card is None:
            raise RuntimeError("There is no pretended card here.")
        return self.card

    def _run(self, operator: OpOverload, *args: Any, **kwargs: Any) -> Any:
        """Any operator, on the host's views of what it is given; what it gives is the card's."""
        facts, views, card = _facts(operator), _Views(operator), self.there
        given, named = views.all(args), {key: views.of(value) for key, value in kwargs.items()} if kwargs else kwargs
        if facts.waits or (facts.puts and _has_mask(args[1])):
            card.waited.append(facts.name)
        result = _summed(operator, given, named) if facts.sums and views.half else operator(*given, **named)
        if facts.attends and card.flawed and torch.backends.cuda.flash_sdp_enabled():
            result.fill_(float("nan"))
        kept = self._new if facts.makes else partial(self._kept, views)
        if isinstance(result, tuple | list):
            return type(result)([kept(part) for part in result])
        return kept(result)

    def _new(self, result: Any) -> Any:
        """What shares its numbers with nothing, as the card's: it takes memory."""
        if not isinstance(result, Tensor):
            return result
        self.there.hold(result.untyped_storage())
        return _relabelled(result, ON_CARD)

    def _kept(self, views: _Views, result: Any) -> Any:
        """A result as the card's: an argument that was written to, a view of one, or something new."""
        if not isinstance(result, Tensor):
            return result
        argument = views.argument(result)
        if argument is None:
            owner = views.owner(result)
            return self._new(result) if owner is None else _view_of(owner, result)
        if argument.shape != result.shape:
            DATA.__set__(argument, self._new(result))  # it was to be given the room that the result takes
        return argument

    def _copy(self, source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
        """After a copy to the card torch waits for it, unless it is told not to; for one to the host in any case."""
        if target.device == HOST or (source.device == HOST and not non_blocking):
            self.there.waited.append(f"copy to the {'host' if target.device == HOST else 'card'}")
        if self.stream is not None and non_blocking and target.device != HOST:
            self.stream.begin(_on_host(target), source)
        else:
            _on_host(target).copy_(_on_host(source))
        return target


class _Module:
    """`torch.card`: what torch and others ask of a device by its name."""

    def __init__(self, backend: _Backend) -> None:
        self._backend = backend

    def is_available(self) -> bool:
        return self._backend.card is not None

    def is_initialized(self) -> bool:
        return True

    def _is_in_bad_fork(self) -> bool:
        return False

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def manual_seed_all(self, seed: int) -> None:
        """Nothing is drawn on it."""

    Stream = Stream

    def current_stream(self, device: object = None) -> Stream:
        return self._backend.stream or self._backend.main

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        self._backend.stream = stream
        try:
            yield
        finally:
            self._backend.stream = None

    def mem_get_info(self, device: object = None) -> tuple[int, int]:
        """Bytes that are free, and all of them. Only of a card whose memory ends."""
        card = self._backend.there
        return int(card.memory) - card.bytes, int(card.memory)

    def empty_cache(self) -> None:
        """It keeps none."""


class _Hooks(torch._C._acc.PrivateUse1Hooks):  # pyright: ignore[reportAttributeAccessIssue]
    def __init__(self, backend: _Backend) -> None:
        super().__init__()
        self._backend = backend

    def is_available(self) -> bool:
        return self._backend.card is not None

    def has_primary_context(self, dev_id: int) -> bool:
        return True

    def is_built(self) -> bool:
        return True


# ------------------------------------------------------------------------------------------------ kernels


@dataclass(frozen=True)
class _Facts:
    """What is the same each time that an operator runs: looked for once, since a drawing runs ten thousand."""

    name: str
    waits: bool
    puts: bool  # in the places that a mask or a list of places says
    sums: bool
    attends: bool
    makes: bool  # by its schema nothing that it gives is, or shows, something that it was given


@cache
def _facts(operator: OpOverload) -> _Facts:
    name = operator.overloadpacket.__name__
    makes = all(each.alias_info is None for each in operator._schema.returns)
    return _Facts(name, name in WAITED_FOR, name == "_index_put_impl_", name in SUMS, name == "scaled_dot_product_attention", makes)


PLAIN = {int, float, bool, type(None), str, torch.dtype, torch.layout, torch.memory_format}  # most of what operators are given


class _Views:
    """The host's views of what one operator is given. Raises `RuntimeError` for what a real card would refuse."""

    __slots__ = ("_operator", "_pairs")

    def __init__(self, operator: OpOverload) -> None:
        self._operator = operator
        self._pairs: list[tuple[Tensor, Tensor]] = []

    def all(self, values: tuple[Any, ...] | list[Any]) -> Any:
        return type(values)([value if type(value) in PLAIN else self.of(value) for value in values])

    def of(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._view(value)
        if isinstance(value, tuple | list):
            return self.all(value)
        if isinstance(value, torch.Generator) and value.device == HOST:
            raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu'")
        return HOST if isinstance(value, torch.device) and value.type == NAME else value

    def _view(self, tensor: Tensor) -> Tensor:
        if tensor.is_cpu:
            if tensor.ndim:
                raise RuntimeError(f"Expected all tensors to be on the same device, but {self._operator} found some on cpu and on {NAME}")
            return tensor
        for known, view in self._pairs:
            if known is tensor:
                return view
        view = _relabelled(tensor, ON_HOST) if tensor.numel() else torch.empty_like(tensor, device=HOST)  # which may grow
        self._pairs.append((tensor, view))
        return view

    @property
    def half(self) -> bool:
        return any(view.dtype == torch.float16 for _, view in self._pairs)

    def argument(self, result: Tensor) -> Tensor | None:
        """What the operator was given as this, to be written to."""
        return next((known for known, view in self._pairs if view is result), None)

    def owner(self, result: Tensor) -> Tensor | None:
        """The argument whose numbers the result shows."""
        return next((known for known, view in self._pairs if ALIASES(result, view)), None)


def _view_of(owner: Tensor, result: Tensor) -> Tensor:
    """A view is of the same make as what it is a view of."""
    if owner.is_inference() == torch.is_inference_mode_enabled():
        return _relabelled(result, ON_CARD)
    with torch.inference_mode(owner.is_inference()):
        return _relabelled(result, ON_CARD)


def _summed(operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Sums of numbers in half precision: added up in float32, rounded once."""
    out = kwargs.pop("out", None)
    computes = operator if out is None else operator.overloadpacket.default
    result = computes(*(_wide(value) for value in args), **{name: _wide(value) for name, value in kwargs.items()})
    if out is not None:
        return out.copy_(result)
    return tuple(map(_narrow, result)) if isinstance(result, tuple) else _narrow(result)


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float16 else value


def _narrow(result: Tensor) -> Tensor:
    return result.half()


def _has_mask(indices: Any) -> bool:
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)


# ------------------------------------------------------------------------------------------------ one memory, two names

ON_HOST, ON_CARD = 1, 12  # kDLCPU, kDLExtDev
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))


# Where the head of what libraries hand each other as a tensor says where it is, kind and number: dlpack.h, version 0.8
# (https://dmlc.github.io/dlpack).
_place = ctypes.c_int32 * 2
PLACE_AT = ctypes.sizeof(ctypes.c_void_p)


def _on_host(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_cpu else _relabelled(tensor, ON_HOST)


def _relabelled(tensor: Tensor, place: int) -> Tensor:
    """The same numbers as a tensor that says it is there. Nothing is copied; they live as long as either."""
    capsule = torch._C._to_dlpack(tensor)  # pyright: ignore[reportAttributeAccessIssue]
    _place.from_address(_pointer(capsule, b"dltensor") + PLACE_AT)[:] = place, 0
    return torch._C._from_dlpack(capsule)  # pyright: ignore[reportAttributeAccessIssue]
