"""The model manager's policy, on models that are numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from models.manager import Manager


@dataclass
class Weight:
    bytes: int


def manager(budget: int, loaded: list[str]) -> Manager[str, Weight]:
    def load(key: str) -> Weight:
        if key == "bad":
            raise ValueError("bad file")
        loaded.append(key)
        return Weight(4)

    return Manager(load, budget)


def use(models: Manager[str, Weight], *keys: str) -> None:
    for key in keys:
        with models.lease(key):
            pass


def test_a_held_model_is_lent_again_without_loading() -> None:
    loaded: list[str] = []
    use(manager(10, loaded), "a", "b", "a")
    assert loaded == ["a", "b"]


def test_the_least_recently_used_goes_first() -> None:
    loaded: list[str] = []
    models = manager(8, loaded)
    use(models, "a", "b", "a", "c")
    assert list(models.held) == ["a", "c"]


def test_what_is_lent_is_never_evicted() -> None:
    models = manager(4, [])
    with models.lease("a"):
        with models.lease("b"):
            assert set(models.held) == {"a", "b"}
        assert "a" in models.held
    assert sum(models.held.values()) <= 4


def test_a_model_larger_than_the_budget_is_still_lent_and_kept() -> None:
    loaded: list[str] = []
    models = manager(1, loaded)
    use(models, "a", "a")
    assert loaded == ["a"]


def test_a_failed_load_leaves_nothing_behind() -> None:
    models = manager(10, [])
    use(models, "a")
    with pytest.raises(ValueError, match="bad file"):
        use(models, "bad")
    assert list(models.held) == ["a"]


def test_a_failure_while_lent_gives_the_model_back() -> None:
    models = manager(4, [])
    with pytest.raises(RuntimeError), models.lease("a"):
        raise RuntimeError
    use(models, "b")
    assert list(models.held) == ["b"]
