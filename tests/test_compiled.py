"""Compiled blocks: they are made behind the jobs, give what the written ones give, and stand aside where a block is not as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from models.memory.device import mend_torchvision
from models.memory.forecast import Machine
from models.networks.compiled import Compiler, Use
from pipelines.images.store import Inputs
from pipelines.inside.again import Record, reasons
from pipelines.metadata.provenance import unlike
from pipelines.runtime.runner import ModelRunner
from tests.support.faults import GB, REQUEST, Files, files, originals, other
from tests.support.toy_weights import CPU

__all__ = ["files", "originals"]

TOLERANCE = 1e-5


class Backend:
    """A compiler that keeps what is written, and knows when it is at work and how often its code ran."""

    def __init__(self) -> None:
        self.compiled, self.ran, self.fails = 0, 0, False

    def __call__(self, graph: Any, given: list[Tensor]) -> Callable[..., Any]:
        self.compiled += 1

        def run(*arguments: Tensor) -> Any:
            if self.fails:
                raise RuntimeError("a wrong turn")
            self.ran += 1
            return graph.forward(*arguments)

        return run


class Network(nn.Module):
    """Two blocks of a kind and one of another, with something beside them."""

    def __init__(self) -> None:
        super().__init__()
        mend_torchvision()
        from diffusers.models.attention import BasicTransformerBlock
        from diffusers.models.resnet import ResnetBlock2D

        torch.manual_seed(0)
        self.before = ResnetBlock2D(in_channels=8, out_channels=8, temb_channels=4, groups=4)
        self.blocks = nn.ModuleList(BasicTransformerBlock(8, 2, 4, cross_attention_dim=6) for _ in range(2))
        self.eval().requires_grad_(False)

    def forward(self, latents: Tensor, time: Tensor, words: Tensor) -> Tensor:
        x = self.before(latents, time).flatten(2).transpose(1, 2).contiguous()
        for block in self.blocks:
            x = block(x, encoder_hidden_states=words, attention_mask=None)
        return x

    @property
    def keys(self) -> nn.Linear:
        """What LoRAs and hypernetworks act on, in the first block."""
        return cast(nn.Linear, self.get_submodule("blocks.0.attn2.to_k"))


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


@pytest.fixture(scope="module")
def backend() -> Backend:
    return Backend()


@pytest.fixture(scope="module")
def warm(network: Network, backend: Backend) -> Compiler:
    """Behind a first job."""
    compiler = Compiler(backend)
    assert job(compiler, network, calls=2)[1] == 0, "nothing changes within a job"
    compiled(compiler)
    return compiler


def call(network: Network, side: int = 4) -> Tensor:
    torch.manual_seed(1)
    return network(torch.randn(2, 8, side, side), torch.randn(2, 4), torch.randn(2, 7, 6))


def plain(network: Network, side: int = 4) -> Tensor:
    with torch.inference_mode():
        return call(network, side)


def job(compiler: Compiler, network: Network, calls: int = 1, side: int = 4) -> tuple[Tensor, int]:
    """What came of the last call, and how many blocks ran compiled."""
    use = Use()
    with torch.inference_mode(), compiler.at_work([network], use):
        answers = [call(network, side) for _ in range(calls)]
    return answers[-1], use.calls


def compiled(compiler: Compiler) -> None:
    until = time.monotonic() + 60
    while compiler.pending and time.monotonic() < until:
        time.sleep(0.01)
    assert not compiler.pending


def test_the_job_after_the_first_runs_compiled_and_compiles_nothing(network: Network, backend: Backend, warm: Compiler) -> None:
    assert backend.compiled == 2, "two kinds of blocks"
    backend.ran = 0
    answer, calls = job(warm, network, calls=2)
    assert calls == 2 * 3 == backend.ran, "each of the three blocks ran what was compiled"
    assert torch.allclose(answer, plain(network), atol=TOLERANCE)
    assert backend.compiled == 2 and all("_compiled_call_impl" not in vars(module) for module in network.modules())


def test_another_size_runs_as_written_once(network: Network, warm: Compiler) -> None:
    answer, calls = job(warm, network, side=6)
    assert calls == 0 and answer.equal(plain(network, side=6))
    compiled(warm)
    answer, calls = job(warm, network, side=6)
    assert calls == 3 and torch.allclose(answer, plain(network, side=6), atol=TOLERANCE)


@contextmanager
def changed_weight(network: Network) -> Iterator[None]:
    """As a LoRA does."""
    before = network.keys.weight.data
    network.keys.weight.data = before * 3
    yield
    network.keys.weight.data = before


@contextmanager
def hooked(network: Network) -> Iterator[None]:
    """As a hypernetwork does."""
    hook = network.keys.register_forward_pre_hook(lambda _, given: (given[0] * 3, *given[1:]))
    yield
    hook.remove()


@contextmanager
def seen_through(network: Network) -> Iterator[None]:
    """As an image prompt does."""
    from diffusers.models.attention_processor import AttnProcessor

    class Doubled(AttnProcessor):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return 2 * super().__call__(*arguments, **options)

    attention: Any = network.get_submodule("blocks.0.attn2")
    before = attention.processor
    attention.set_processor(Doubled())
    yield
    attention.set_processor(before)


@pytest.mark.parametrize(("change", "aside"), [(changed_weight, 0), (hooked, 1), (seen_through, 1)])
def test_what_a_job_changes_in_a_block_counts(
    change: Callable[[Network], AbstractContextManager[None]], aside: int, network: Network, backend: Backend, warm: Compiler
) -> None:
    """`aside`: how many blocks run as they are written then."""
    usual, backend.ran = plain(network), 0
    with change(network):
        answer, _ = job(warm, network)
        assert torch.allclose(answer, plain(network), atol=TOLERANCE) and not torch.allclose(answer, usual, atol=TOLERANCE)
    assert backend.ran == 3 - aside
    assert torch.allclose(job(warm, network)[0], usual, atol=TOLERANCE)


def test_a_compiler_that_fails_is_not_asked_again_for_the_same(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[bool] = []

    def refuse(graph: Any, given: list[Tensor]) -> Callable[..., Any]:
        asked.append(True)
        raise RuntimeError("there is no compiler here")

    compiler = Compiler(refuse)
    for _ in range(2):
        answer, calls = job(compiler, network)
        assert calls == 0 and answer.equal(plain(network))
        compiled(compiler)
    assert len(asked) == 2 and "no compiler here" in caplog.text


def test_code_that_fails_gives_way_to_the_written_block(network: Network, warm: Compiler, backend: Backend) -> None:
    backend.fails = True
    answer, calls = job(warm, network)
    assert answer.equal(plain(network)) and calls == 0
    backend.fails = False
    assert job(warm, network)[1] == 0, "it is not trusted again"


class Noted(Compiler):
    """Compiles nothing, and knows for which networks it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    @contextmanager
    def at_work(self, networks: Iterable[nn.Module], use: Use) -> Generator[None]:
        self.asked.append([type(network).__name__ for network in networks])
        yield
        use.calls += 1


@pytest.mark.parametrize(("machine", "asked"), [(Machine(host=GB), 2), (Machine(host=GB, device=1), 0)])
def test_the_record_of_a_picture_says_whether_blocks_ran_compiled(machine: Machine, asked: int, files: Files) -> None:
    """Where networks come to the device in turn they do not."""
    compiler = Noted()
    runner = ModelRunner(files.catalog(), CPU, machine, Inputs(files.models.parent / "inputs"), compiler=compiler)
    request = replace(REQUEST, steps=1, refiner=other(runner), refiner_start=0.5)
    with runner.lent(request), runner.lent(request) as model:
        assert model.made_with["Compiled"] == "no"
    assert compiler.asked == [["UNet2DConditionModel"] * 2] * asked
    assert dict(runner.origins.begin(request, lambda: Use(calls=1).told))["Compiled"] == "yes"


def test_made_again_names_it_and_reading_a_picture_does_not() -> None:
    then, here = {"Compiled": "yes", "torch": "2"}, {"Compiled": "no", "torch": "2"}
    assert list(reasons(Record(REQUEST, then, (), Path()), here)) == ["Compiled: yes then, no here."]
    assert unlike(then, here) == []
