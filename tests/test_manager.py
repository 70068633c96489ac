"""The model manager's policy, on weights that are numbers and two tiers that are words."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from models.errors import UserError
from models.memory.manager import Key, Manager, Tier

pytestmark = pytest.mark.smoke


@dataclass
class Weight:
    """A thing that knows where its copies are. `diary` is shared by all of one test: what was done, in order."""

    name: str
    bytes: int
    diary: list[str]
    tiers: set[str] = field(default_factory=lambda: {"host"})
    full: bool = False  # the device has no memory for it, whatever the budget says

    def to(self, tier: Tier) -> None:
        assert self.tiers, "there is nothing to copy from"
        if self.full and tier == "device":
            raise RuntimeError("CUDA error: out of memory")
        self.tiers.add(tier)
        self.diary.append(f"{self.name} to {tier}")

    def leave(self, tier: Tier) -> None:
        self.tiers.remove(tier)
        assert self.tiers, "the only copy was given up"
        self.diary.append(f"{self.name} leaves {tier}")


@dataclass
class Bench:
    """A manager and what happened to it."""

    manager: Manager[Weight]
    diary: list[str]
    marks: dict[str, int]

    def use(self, *names: str, tier: Tier = "host", reserve: int = 0) -> None:
        for name in names:
            with self.manager.lease([key(name)], tier, reserve):
                pass

    def held(self) -> list[str]:
        return [line.key.id for line in self.manager.ledger]

    def on_device(self) -> list[str]:
        return [line.key.id for line in self.manager.ledger if line.tier == "device"]


def key(name: str) -> Key:
    return Key("checkpoint", name)


def bench(host: int, device: int | None = None, size: Callable[[Key], int] = lambda key: 0, weights: int = 4) -> Bench:
    diary: list[str] = []
    marks: dict[str, int] = {}

    def load(key: Key) -> Weight:
        if key.id == "bad":
            raise ValueError("bad file")
        diary.append(f"load {key.id}")
        return Weight(key.id, weights, diary, full=key.id == "burst")

    budgets: dict[Tier, int] = {"host": host} if device is None else {"device": device, "host": host}
    clock = itertools.count(1)
    manager = Manager(load, budgets, size, lambda key: marks.get(key.id), lambda: float(next(clock)))
    return Bench(manager, diary, marks)


# ------------------------------------------------------------------------------------------------ one tier


def test_what_is_held_is_lent_again_without_loading() -> None:
    models = bench(10)
    models.use("a", "b", "a")
    assert models.diary == ["load a", "load b"]


def test_the_least_recently_used_goes_first() -> None:
    models = bench(8)
    models.use("a", "b", "a", "c")
    assert models.held() == ["a", "c"]


def test_what_is_lent_is_never_forgotten() -> None:
    models = bench(4)
    with models.manager.lease([key("a")]):
        models.use("b", "c")
        assert "a" in models.held()
    models.use("d")
    assert models.held() == ["d"]


def test_what_is_larger_than_the_budget_is_still_lent_and_kept() -> None:
    models = bench(1)
    models.use("a", "a")
    assert models.diary == ["load a"]


def test_what_was_lent_together_stays_together_until_something_else_comes() -> None:
    models = bench(1)
    for _ in range(2):
        with models.manager.lease([key("a")]), models.manager.lease([key("b")]):
            pass
    assert models.diary == ["load a", "load b"]
    models.use("c")
    assert models.held() == ["c"]


def test_room_is_made_before_loading_when_the_size_is_known() -> None:
    models = bench(7, size=lambda key: 4)
    models.use("a")
    held_while_loading: list[list[str]] = []
    load = models.manager._load
    models.manager._load = lambda key: held_while_loading.append(models.held()) or load(key)
    models.use("b")
    assert held_while_loading == [[]]


def test_a_failed_load_leaves_nothing_behind_and_gives_back_what_was_lent_with_it() -> None:
    models = bench(10)
    with pytest.raises(ValueError, match="bad file"), models.manager.lease([key("a"), key("bad")]):
        pass
    assert [(line.key.id, line.leases) for line in models.manager.ledger] == [("a", 0)]


def test_a_failure_while_lent_gives_the_model_back() -> None:
    models = bench(4)
    with pytest.raises(RuntimeError), models.manager.lease([key("a")]):
        raise RuntimeError
    models.use("b")
    assert models.held() == ["b"]


# ------------------------------------------------------------------------------------------------ files that change


def test_a_file_that_changed_is_read_again() -> None:
    models = bench(10)
    models.use("a")
    models.marks["a"] = 2
    models.use("a")
    assert models.diary == ["load a", "load a"]


def test_what_is_lent_is_not_pulled_from_under_its_borrower_when_its_file_changes() -> None:
    models = bench(10)
    with models.manager.lease([key("a")]) as first:
        models.marks["a"] = 2
        with models.manager.lease([key("a")]) as second:
            assert first.items == second.items
    models.use("a")
    assert models.diary == ["load a", "load a"]


def test_a_file_that_changes_while_it_is_read_is_refused() -> None:
    models = bench(10)
    load = models.manager._load
    models.manager._load = lambda key: models.marks.update(a=2) or load(key)
    with pytest.raises(UserError, match="changed on the disk"):
        models.use("a")
    assert models.held() == []


# ------------------------------------------------------------------------------------------------ two tiers


def test_going_back_to_a_model_moves_it_and_does_not_load_it() -> None:
    models = bench(host=100, device=4)
    models.use("a", "b", "a", tier="device")
    assert models.diary == ["load a", "a to device", "load b", "a leaves device", "b to device", "b leaves device", "a to device"]


def test_moving_away_from_the_device_copies_nothing_while_the_host_has_room() -> None:
    models = bench(host=100, device=4)
    models.use(*"abcabc", tier="device")
    assert not [line for line in models.diary if line.endswith("to host")]


def test_the_second_copy_goes_before_anything_is_forgotten() -> None:
    models = bench(host=8, device=8)
    models.use("a", tier="device")
    models.use("b", "c")
    assert models.held() == ["a", "b", "c"]
    assert "a leaves host" in models.diary


def test_what_comes_from_the_device_to_a_full_host_pushes_the_idle_out() -> None:
    models = bench(host=8, device=4)
    models.use("a", tier="device")
    models.use("b", "c")  # a is now on the device alone
    models.use("d", tier="device")
    assert models.on_device() == ["d"]
    assert models.manager.used("host") <= 8


def test_what_is_lent_on_the_device_stays_there() -> None:
    models = bench(host=100, device=4)
    with models.manager.lease([key("a")], "device") as first, models.manager.lease([key("b")], "device") as second:
        assert (first.tier, second.tier) == ("device", "host")
        assert models.on_device() == ["a"]
    assert models.on_device() == ["a"]


def test_a_working_set_that_does_not_fit_together_is_lent_from_the_host() -> None:
    models = bench(host=100, device=6)
    with models.manager.lease([key("a"), key("b")], "device") as lent:
        assert lent.tier == "host"
        assert models.on_device() == []
    with models.manager.lease([key("a")], "device") as lent:
        assert lent.tier == "device"


def test_room_is_left_on_the_device_for_the_picture() -> None:
    models = bench(host=100, device=12)
    models.use("a", "b", tier="device")
    with models.manager.lease([key("b")], "device", reserve=8) as lent:
        assert (lent.tier, models.on_device()) == ("device", ["b"])
    with models.manager.lease([key("b")], "device", reserve=9) as lent:
        assert (lent.tier, models.on_device()) == ("host", [])


def test_a_device_that_is_fuller_than_it_seemed_leaves_the_model_in_the_host() -> None:
    models = bench(host=100, device=10)
    with pytest.raises(RuntimeError, match="out of memory"), models.manager.lease([key("burst")], "device"):
        pass
    with models.manager.lease([key("burst")], "host") as lent:
        assert lent.items[key("burst")].tiers == {"host"}


def test_asking_for_the_device_where_there_is_none_lends_from_the_host() -> None:
    models = bench(host=10)
    with models.manager.lease([key("a")], "device") as lent:
        assert lent.tier == "host"


# ------------------------------------------------------------------------------------------------ the ledger


def test_the_ledger_says_what_is_where_how_large_and_by_how_many_it_is_lent() -> None:
    models = bench(host=100, device=8)
    models.use("a", tier="device")
    with models.manager.lease([key("b")]):
        lines = [(line.id, line.tier, line.bytes, line.host_copy, line.leases) for line in models.manager.ledger]
    assert lines == [("checkpoint:a", "device", 4, True, 0), ("checkpoint:b", "host", 4, True, 1)]
    first, second = models.manager.ledger
    assert first.last_used < second.last_used


def test_a_snapshot_of_the_ledger_does_not_change() -> None:
    models = bench(10)
    models.use("a")
    before = models.manager.ledger
    models.use("b")
    assert [line.key.id for line in before] == ["a"]


def test_what_is_idle_can_be_unloaded_and_what_is_lent_cannot() -> None:
    models = bench(10)
    models.use("a")
    with models.manager.lease([key("b")]):
        assert models.manager.unload("checkpoint:a")
        assert not models.manager.unload("checkpoint:b")
        assert not models.manager.unload("checkpoint:nothing")
        assert models.held() == ["b"]


def test_when_memory_has_run_out_everything_idle_can_go_at_once() -> None:
    models = bench(host=100, device=100)
    models.use("a", "b", tier="device")
    with models.manager.lease([key("c")]):
        assert models.manager.unload_idle()
        assert models.held() == ["c"]


def test_what_is_quick_is_what_needs_neither_moving_nor_loading() -> None:
    models = bench(host=100, device=4)
    models.use("a", "b", tier="device")
    assert models.manager.quick() == {key("b")}


# ------------------------------------------------------------------------------------------------ whatever happens


@pytest.mark.parametrize("seed", range(40))
def test_any_sequence_of_leases_stays_within_the_budgets_and_loses_nothing(seed: int) -> None:
    """The fake itself refuses to lose its only copy; here the sums are checked, and that the ledger tells the truth."""
    dice = random.Random(seed)
    models = bench(host=dice.choice([8, 12, 40]), device=dice.choice([None, 4, 8, 12]))
    for _ in range(60):
        names = dice.sample("abcdef", dice.randint(1, 3))
        tier: Tier = dice.choice(["device", "host"])
        with models.manager.lease([key(name) for name in names], tier, dice.choice([0, 2])) as lent:
            together = sum(item.bytes for item in lent.items.values())
            for item in lent.items.values():
                assert ("device" in item.tiers) == (lent.tier == "device")
        for budget_tier, budget in models.manager.budgets.items():
            assert models.manager.used(budget_tier) <= max(budget, together)  # the last ones stay, even beyond the budget
        for entry in models.manager._held.values():
            assert entry.tiers == entry.item.tiers and entry.leases == 0
