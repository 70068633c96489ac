"""Offloading: networks that move between the host's memory and the device's, whole or in turn, and come back bit for bit.

Moving exchanges what is inside each parameter and never the parameter itself, so whoever holds on to a network, a layer or a
weight keeps the right one. Weights do not change while they are lent (a patch puts its new values beside the old ones and takes
them away again), so the host's copy stays true while the networks run on the device, and leaving the device copies nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Generic, TypeVar

import psutil
import torch
from torch import Tensor, nn

from models.memory.alive import address
from models.memory.forecast import Lying
from models.memory.lane import Lane, locked
from models.memory.manager import Tier

Value = TypeVar("Value")
Arguments = tuple[object, ...]
Keywords = dict[str, object]
HOST = torch.device("cpu")


class Resident(Generic[Value]):
    """A value and the networks in it that take the memory. Loaded into the host's memory; `to` and `leave` are the manager's."""

    def __init__(self, value: Value, networks: Sequence[nn.Module], device: torch.device) -> None:
        self.value = value
        self.networks = tuple(networks)
        self._lane = Lane(device)
        self._tensors = list(_tensors(self.networks))
        self._unlock = locked(self, [tensor.data for tensor in self._tensors], device, psutil.virtual_memory().available)
        self._host: list[Tensor] | None = None  # the host's copies, while there are others on the device
        self.bytes = sum(tensor.nbytes for tensor in self._tensors)

    def to(self, tier: Tier) -> None:
        """Makes a copy there. When there is no memory for it everything is as it was before."""
        if tier == "device":
            copies = self._lane.bring(self._tensors)
            self._lane.arrived()
            self._host = _exchange(self._tensors, copies)
        else:
            self._host = [tensor.data.to(HOST, copy=True) for tensor in self._tensors]

    def leave(self, tier: Tier) -> None:
        if tier == "device":
            assert self._host is not None, "the manager asks for the host's copy first"
            _exchange(self._tensors, self._host)
        else:
            self._unlock()
        self._host = None


class Kept(Generic[Value]):
    """Small things that stay in the host's memory: the tensors of a LoRA, an embedding, a hypernetwork."""

    def __init__(self, value: Value, bytes: int) -> None:
        self.value = value
        self.bytes = bytes
        self.networks: tuple[nn.Module, ...] = ()

    def to(self, tier: Tier) -> None:
        raise AssertionError("nobody asks for this on the device")

    def leave(self, tier: Tier) -> None:
        raise AssertionError("it is nowhere but in the host's memory")


@contextmanager
def in_turn(
    networks: Iterable[nn.Module], device: torch.device, layer_by_layer: bool = False, lane: Lane | None = None
) -> Generator[Callable[[], None]]:
    """Runs networks that lie in the host's memory on the device, the weights of one at a time there: the smallest working set.

    A network comes when it is called and goes when the next one is. With `layer_by_layer` that holds for each single layer, for
    a network that is itself too large: many times slower, but it draws. There, the layer that came next the last time is brought while
    one computes, where the device can do both. Afterwards everything is in the host's memory, and so it is
    after a call of what this gives: who changes weights meanwhile asks for it first.
    """
    turn = _Turn(device, lane or Lane(device), ahead=layer_by_layer)
    with ExitStack() as stack:
        stack.callback(turn.end)
        for network in networks:
            if layer_by_layer:
                _by_layer(network, turn, stack)
            else:
                _whole(network, turn, stack)
        yield turn.end


def lying(
    drawing: Iterable[nn.Module], decoding: Iterable[nn.Module], beside: Iterable[nn.Module] = (), layer_by_layer: bool = False
) -> Lying:
    """What lies on the device at once while networks run `in_turn`: of those that draw, of those that decode, and of the rest."""
    size = _largest_layer if layer_by_layer else _size
    return Lying(*(max(map(size, networks), default=0) for networks in (drawing, decoding, beside)))


def _size(network: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in _tensors([network]))


def _largest_layer(network: nn.Module) -> int:
    """With the one that may be on its way meanwhile."""
    layers = (sum(weight.nbytes for weight in group[0].parameters(recurse=group[0] is not network)) for group in _layers(network))
    return sum(sorted(layers)[-2:]) + sum(buffer.nbytes for buffer in network.buffers())


class _Turn:
    """Turns on the device: one group of tensors is on the device, the next one may be on its way, all others in the host's memory."""

    def __init__(self, device: torch.device, lane: Lane, ahead: bool = False) -> None:
        self.device = device
        self._lane = lane
        self._looks_ahead = ahead and self._lane.runs_beside
        self._there: list[Tensor] = []
        self._kept: list[Tensor] = []
        self._after: dict[int, list[Tensor]] = {}  # by the identity of a group: the one that came next
        self._coming: _Coming | None = None

    def come(self, tensors: list[Tensor]) -> None:
        if self._there is tensors:
            return
        if self._looks_ahead and self._there:
            self._after[id(self._there)] = tensors
        self._leave()
        copies = self._arriving(tensors)
        self._there, self._kept = tensors, _exchange(tensors, copies)
        if following := self._after.get(id(tensors)):
            self._coming = _Coming(following, self._lane.bring(following))

    def _arriving(self, tensors: list[Tensor]) -> list[Tensor]:
        """Copies on the device: those on their way, if they are of this group as it is now."""
        coming, self._coming = self._coming, None
        if coming and coming.is_of(tensors):
            copies = coming.copies
        else:
            self._lane.arrived()  # before the memory of what nobody came for is another's
            del coming
            copies = self._lane.bring(tensors)
        self._lane.arrived()
        return copies

    def end(self) -> None:
        """Nothing is there or on its way."""
        self._lane.arrived()
        self._coming = None
        self._leave()

    def _leave(self) -> None:
        """A network that was brought to another precision and back on the device goes back in the precision that it has now."""
        back = [kept.to(tensor.dtype) for tensor, kept in zip(self._there, self._kept, strict=True)]
        _exchange(self._there, back)
        self._there, self._kept = [], []

    def inputs(self, arguments: Arguments, keywords: Keywords) -> tuple[Arguments, Keywords]:
        """What a caller made where it believed the network to be."""
        return tuple(map(self._here, arguments)), {name: self._here(value) for name, value in keywords.items()}

    def _here(self, value: object) -> object:
        return value.to(self.device) if isinstance(value, Tensor) else value


class _Coming:
    """A group that is on its way."""

    def __init__(self, tensors: list[Tensor], copies: list[Tensor]) -> None:
        self._tensors, self.copies = tensors, copies
        self._sources = [tensor.data for tensor in tensors]  # for as long as they are held, nothing else has their addresses

    def is_of(self, tensors: list[Tensor]) -> bool:
        """And nobody has put other numbers into them meanwhile."""
        return self._tensors is tensors and all(
            address(tensor) == address(source) and tensor.dtype == source.dtype
            for tensor, source in zip(tensors, self._sources, strict=True)
        )


def _whole(network: nn.Module, turn: _Turn, stack: ExitStack) -> None:
    """The children are watched as well: a VAE is entered by `decode`, which calls its children and never the network itself."""
    tensors = list(_tensors([network]))
    for module in (network, *network.children()):
        _watch(module, tensors, turn, stack)


def _by_layer(network: nn.Module, turn: _Turn, stack: ExitStack) -> None:
    """Each layer that has parameters of its own is a group, with the layers inside it: it may use its own after theirs. Buffers are small
    and read from anywhere: they come once for all.
    """
    buffers = list(network.buffers())
    kept = _exchange(buffers, [buffer.data.to(turn.device, copy=True) for buffer in buffers])
    stack.callback(_exchange, buffers, kept)
    for group in _layers(network):
        tensors: list[Tensor] = list(group[0].parameters(recurse=group[0] is not network))
        for module in group:
            _watch(module, tensors, turn, stack)


def _layers(network: nn.Module) -> Iterator[list[nn.Module]]:
    """The network itself, then each layer with parameters of its own and those inside it."""
    yield [network]
    inside: set[nn.Module] = set()
    for module in network.modules():
        if module is not network and module not in inside and any(True for _ in module.parameters(recurse=False)):
            group = list(module.modules())
            inside.update(group)
            yield group


def _watch(module: nn.Module, tensors: list[Tensor], turn: _Turn, stack: ExitStack) -> None:
    def before(_: nn.Module, arguments: Arguments, keywords: Keywords) -> tuple[Arguments, Keywords]:
        if tensors:
            turn.come(tensors)
        return turn.inputs(arguments, keywords)

    stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)


def _exchange(tensors: Sequence[Tensor], contents: Sequence[Tensor]) -> list[Tensor]:
    """Puts new contents into the tensors and returns what was in them."""
    before = [tensor.data for tensor in tensors]
    for tensor, content in zip(tensors, contents, strict=True):
        tensor.data = content
    return before


def _tensors(networks: Iterable[nn.Module]) -> Iterator[Tensor]:
    """Parameters and buffers, each once even if two layers share it."""
    seen: set[int] = set()
    for network in networks:
        for tensor in (*network.parameters(), *network.buffers()):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor
