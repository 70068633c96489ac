"""The pretended card is as strict as a real one, counts what it says it counts, and computes as the host does."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.errors import UserError
from models.memory.device import MARGIN, choose, read_machine, release, sent
from tests.support.pretended_device import NAME, Card, pretended_card


@pytest.fixture
def card() -> Iterator[Card]:
    with pretended_card() as card:
        yield card


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def there(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return random(*shape, seed=seed).to(NAME, dtype)


def test_a_tensor_says_that_it_is_on_the_card_and_comes_back_as_it_was(card: Card) -> None:
    tensor = random(1, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    moved = tensor.to(NAME)
    assert moved.device == torch.device(NAME, 0) and type(moved) is Tensor and moved.stride() == tensor.stride()
    assert torch.equal(moved.cpu(), tensor)
    with pytest.raises(TypeError, match="card"):
        moved.numpy()


# ------------------------------------------------------------------------------------------------ no mixing


MIXED: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "adding": lambda there, here: there + here,
    "the host first": lambda there, here: here * there,
    "matrices": lambda there, here: there @ here.T,
    "a layer": lambda there, here: functional.linear(there, here),
    "a convolution": lambda there, here: functional.conv2d(there[None, None], here[None, None]),
    "a norm": lambda there, here: functional.layer_norm(there, (3,), here[0]),
    "attention": lambda there, here: functional.scaled_dot_product_attention(there[None], here[None], here[None]),
    "side by side": lambda there, here: torch.cat([there, here]),
    "an index": lambda there, here: there[here[:, 0] > 0],
    "in place": lambda there, here: here.add_(there),
    "one number of the card": lambda there, here: here * there[0, 0],
    "noise of the host's generator": lambda there, here: torch.randn(3, device=NAME, generator=torch.Generator()),
}


@pytest.mark.parametrize("way", MIXED)
@pytest.mark.parametrize("inference", [True, False])
def test_it_refuses_to_mix_with_the_hosts_tensors(way: str, inference: bool, card: Card) -> None:
    with torch.inference_mode(inference), pytest.raises(RuntimeError, match=r"same device|device type for generator"):
        MIXED[way](there(2, 3), random(2, 3))


def test_one_number_of_the_host_is_taken_as_on_cuda(card: Card) -> None:
    tensor = random(2, 3)
    assert torch.equal((there(2, 3) * torch.tensor(2.0)).cpu(), tensor * 2)
    assert torch.equal(torch.where(there(2, 3) > 0, there(2, 3), torch.tensor(1.0)).cpu(), torch.where(tensor > 0, tensor, 1.0))


# ------------------------------------------------------------------------------------------------ waiting


WAITS: dict[str, Callable[[Tensor], Any]] = {
    "a number": lambda tensor: tensor[0, 0].item(),
    "a condition": lambda tensor: bool(torch.isfinite(tensor).all()),
    "a copy to the host": lambda tensor: tensor.cpu(),
    "a list": lambda tensor: tensor.tolist(),
    "a copy to the card": lambda tensor: random(3).to(NAME),
    "a tensor made from numbers": lambda tensor: torch.tensor([1.0, 2.0], device=NAME),
    "what is not zero": lambda tensor: tensor.nonzero(),
    "by a mask": lambda tensor: tensor[tensor > 0],
    "put by a mask": lambda tensor: tensor.index_put_((tensor > 0,), tensor[0, 0]),
    "comparing": lambda tensor: torch.equal(tensor, tensor),
}
FREE: dict[str, Callable[[Tensor], Any]] = {
    "computing": lambda tensor: functional.softmax(tensor @ tensor.T, -1).sum(),
    "a copy on the card": lambda tensor: tensor.clone().copy_(tensor),
    "another number type": lambda tensor: tensor.half(),
    "a copy to the card, not to be waited for": lambda tensor: random(3).to(NAME, non_blocking=True),
    "tensors made there": lambda tensor: (torch.zeros(3, device=NAME), tensor.new_full((2,), 3.0), torch.arange(4, device=NAME)),
    "views": lambda tensor: tensor.view(-1)[1:].unsqueeze(0).expand(2, -1),
    "a condition for each number": lambda tensor: torch.where(tensor > 0, tensor, 0.0),
}


@pytest.mark.parametrize("way", WAITS)
def test_what_makes_the_host_wait_is_counted_once(way: str, card: Card) -> None:
    tensor = there(2, 3)
    card.waited.clear()
    WAITS[way](tensor)
    assert len(card.waited) == 1, card.waited


@pytest.mark.parametrize("way", FREE)
def test_nothing_else_is(way: str, card: Card) -> None:
    tensor = there(2, 3)
    card.waited.clear()
    FREE[way](tensor)
    assert card.waited == []


# ------------------------------------------------------------------------------------------------ bytes


def test_bytes_are_counted_while_they_live_and_views_take_none(card: Card) -> None:
    tensor = there(4, 8)
    assert card.bytes == 4 * 8 * 4
    view = tensor[1:].T.unsqueeze(0)
    assert card.bytes == 4 * 8 * 4
    del tensor
    assert card.bytes == 4 * 8 * 4, "a view keeps what it shows"
    del view
    assert card.bytes == 0


def test_the_peak_counts_what_lived_at_one_time(card: Card) -> None:
    tensor = there(256)
    for _ in range(3):
        tensor = tensor + 1
    tensor = tensor[:1].clone()
    assert (card.bytes, card.peak) == (4, 2048)


def test_a_parameter_that_leaves_the_card_frees_its_memory(card: Card) -> None:
    layer = nn.Linear(8, 8, bias=False).requires_grad_(False)
    host = layer.weight.data
    layer.weight.data = host.to(NAME, copy=True)
    assert layer.weight.device.type == NAME and type(layer.weight) is nn.Parameter and card.bytes == 256
    layer.weight.data = host
    assert layer.weight.device.type == "cpu" and card.bytes == 0


def test_a_network_leaves_nothing_behind(card: Card) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 5)).requires_grad_(False).half().to(NAME)
    weights = sum(weight.nbytes for weight in network.parameters())
    with torch.inference_mode():
        network(there(2, 3, 8, 8, dtype=torch.float16))
    gc.collect()
    assert card.bytes == weights and card.peak > weights
    del network
    gc.collect()
    assert card.bytes == 0


def test_a_card_that_is_full_says_so_and_keeps_what_it_has() -> None:
    with pretended_card(memory=1024) as card:
        tensor = there(200)
        with pytest.raises(torch.OutOfMemoryError):
            there(100)
        assert card.bytes == 800 and tensor.sum().isfinite()


# ------------------------------------------------------------------------------------------------ arithmetic


COMPUTED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "adding": lambda one, other: one + 2 * other,
    "in place": lambda one, other: one.clone().add_(other, alpha=0.3).mul_(2),
    "between": lambda one, other: torch.lerp(one, other, 0.3),
    "swish": lambda one, other: functional.silu(one) * functional.gelu(other),
    "spread": lambda one, other: one.std((1, 2), keepdim=True) + other.mean(),
    "side by side": lambda one, other: torch.cat([one, other], 1).repeat(2, 1, 1, 1).chunk(2)[1],
    "larger": lambda one, other: functional.interpolate(one, scale_factor=2.0, mode="nearest"),
    "rolled": lambda one, other: one.flip(1).permute(0, 2, 3, 1).contiguous().flatten(1),
}
SUMMED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "matrices": lambda one, other: one @ other,
    "a layer": lambda one, other: functional.linear(one, other[0, 0], other[0, 0, 0]),
    "a convolution": lambda one, other: functional.conv2d(one, other, padding=1),
    "a norm of groups": lambda one, other: functional.group_norm(one, 2, other[0, :, 0, 0], other[0, :, 0, 1]),
    "a norm of layers": lambda one, other: functional.layer_norm(one, (8,), other[0, 0, 0], other[0, 0, 1]),
    "attention": lambda one, other: functional.scaled_dot_product_attention(one, other, other),
    "shares": lambda one, other: functional.softmax(one, -1),
}


@pytest.mark.parametrize("way", COMPUTED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_it_computes_as_the_host_does(way: str, dtype: torch.dtype, card: Card) -> None:
    one, other = (random(4, 4, 8, 8, seed=seed).to(dtype) for seed in (1, 2))
    with torch.inference_mode():
        result = COMPUTED[way](one.to(NAME), other.to(NAME))
        assert result.dtype == dtype and torch.equal(result.cpu(), COMPUTED[way](one, other))


@pytest.mark.parametrize("way", SUMMED)
def test_sums_of_halves_are_added_up_in_float32_and_rounded_once(way: str, card: Card) -> None:
    one, other = (random(4, 4, 8, 8, seed=seed).half() for seed in (1, 2))
    with torch.inference_mode():
        result = SUMMED[way](one.to(NAME), other.to(NAME))
        assert result.dtype == torch.float16 and torch.equal(result.cpu(), SUMMED[way](one.float(), other.float()).half())


def test_a_half_overflows_where_it_does_on_a_card(card: Card) -> None:
    large = there(4, 4, dtype=torch.float16) * 0 + 300
    assert torch.isinf(large @ large).all() and torch.isfinite(large.float() @ large.float()).all()


# ------------------------------------------------------------------------------------------------ there and not there


def test_the_studio_chooses_it_by_its_name_and_only_while_it_is_there() -> None:
    with pretended_card():
        chosen = choose(NAME)
        assert (chosen.torch_device.type, chosen.dtype, chosen.pictures_a_call) == (NAME, torch.float16, None)
        assert choose("auto").torch_device.type == "cpu"
    with pytest.raises(UserError, match="not available"):
        choose(NAME)


def test_its_memory_is_read_as_that_of_any_device_with_its_own() -> None:
    with pretended_card(memory=2**30):
        used, device = there(1024), choose(NAME)
        release(device)
        machine = read_machine(device)
        assert machine.device == 2**30 - used.nbytes - MARGIN and (machine.element_size, machine.one_by_one) == (2, False)
    assert read_machine(choose("cpu")).device is None


def test_what_is_sent_arrives_and_is_not_waited_for(card: Card) -> None:
    assert torch.equal(sent(random(5), torch.device(NAME)).cpu(), random(5))
    assert card.waited == ["copy to the host"]


def test_nothing_of_it_stays_for_others() -> None:
    with pretended_card():
        there(3)
    layer = nn.Linear(3, 2)
    layer(random(4, 3)).sum().backward()
    assert layer.weight.grad is not None and not torch.accelerator.is_available()
    assert "data" not in vars(Tensor)
