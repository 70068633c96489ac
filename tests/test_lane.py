"""How weights travel: on a stream beside the one that computes, on a pretended card whose copies are made when somebody waits for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from models.memory.lane import Lane, Locks
from models.memory.offload import Resident, in_turn
from tests.support.pretended_device import NAME, Card, Stream, pretended_card


@pytest.fixture
def card() -> Iterator[Card]:
    with pretended_card() as card:
        yield card


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(4, 4) for _ in range(3))).requires_grad_(False)


def test_what_is_brought_has_its_numbers_once_it_has_arrived_and_keeps_its_layout(card: Card) -> None:
    weight = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    lane = Lane(torch.device(NAME))
    [copy] = lane.bring([weight])
    assert lane.runs_beside and copy.isnan().all() and not card.waited[1:]
    lane.arrived()
    assert copy.cpu().equal(weight) and copy.stride() == weight.stride()


def test_a_network_that_moves_whole_is_waited_for(card: Card, network: nn.Sequential) -> None:
    x = torch.randn(2, 4)
    before = network(x)
    resident = Resident(network, [network], torch.device(NAME))
    resident.to("device")
    assert torch.allclose(network(x.to(NAME)).cpu(), before)


def test_the_next_layer_is_on_its_way_while_one_computes(card: Card, network: nn.Sequential, monkeypatch: pytest.MonkeyPatch) -> None:
    x, told = torch.randn(2, 4), list[Any]()
    begin = Stream.begin
    monkeypatch.setattr(
        Stream, "begin", lambda stream, target, source: told.append(place_of(source, network)) or begin(stream, target, source)
    )
    before = network(x)
    for place, layer in enumerate(network):
        layer.register_forward_hook(lambda *_, place=place: told.append(f"computed {place}"))
    with in_turn([network], torch.device(NAME), layer_by_layer=True):
        for _ in range(2):
            assert torch.allclose(network(x.to(NAME)).cpu(), before)
    second = told[told.index("computed 2") + 1 :]
    assert list(dict.fromkeys(second)) == [0, 1, "computed 0", 2, "computed 1", "computed 2"], "the order is known from the first call"
    assert network(x).equal(before)


def place_of(source: Tensor, network: nn.Sequential) -> int | None:
    own = [place for place, layer in enumerate(network) for weight in layer.parameters() if weight.data_ptr() == source.data_ptr()]
    return own[0] if own else None


@pytest.mark.parametrize("home", [False, True])
def test_weights_that_were_changed_meanwhile_are_brought_again(home: bool, card: Card, network: nn.Sequential) -> None:
    """As LoRAs do whose strength changes from step to step."""
    x, last = torch.randn(2, 4), cast(nn.Linear, network[1])
    with in_turn([network], torch.device(NAME), layer_by_layer=True) as bring_home:
        network(x.to(NAME))
        network[0](x.to(NAME))  # and the second one is on its way
        if home:
            bring_home()
        last.weight.data = last.weight.data * 2
        after = network(x.to(NAME)).cpu()
    assert torch.allclose(after, network(x))


@dataclass
class Cudart:
    """Locks what fits, as CUDA's runtime says it."""

    room: int
    locked: dict[int, int] = field(default_factory=dict[int, int])

    def cudaHostRegister(self, pointer: int, size: int, flags: int) -> int:
        if pointer in self.locked or sum(self.locked.values()) + size > self.room:
            return 2
        self.locked[pointer] = size
        return 0

    def cudaHostUnregister(self, pointer: int) -> int:
        return 0 if self.locked.pop(pointer, None) else 1


def test_memory_is_locked_once_for_all_views_of_it_and_within_bounds() -> None:
    buffer, other = torch.empty(64, dtype=torch.uint8), torch.empty(1000, dtype=torch.uint8)
    cudart, locked_at_the_end = Cudart(room=10**6), list[int]()
    locks = Locks(cudart, lambda: locked_at_the_end.extend(cudart.locked.values()), lambda: None)
    locks.lock([buffer[:8], buffer[8:], other, torch.empty(0)], most=500)
    assert cudart.locked == {buffer.data_ptr(): 64}
    locks.undo()
    assert not cudart.locked and locked_at_the_end == [64], "what still travelled was waited for before"


def test_a_refusal_is_no_failure() -> None:
    refused: list[bool] = []
    locks = Locks(Cudart(room=0), lambda: None, lambda: refused.append(True))
    locks.lock([torch.empty(8), torch.empty(9)], most=1000)
    locks.undo()
    assert refused == [True]
