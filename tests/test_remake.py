"""A finished picture makes itself again: alone, elsewhere, in another order, with hardly any memory, bit for bit."""

from __future__ import annotations

from pathlib import Path

from bench.remake import remade

COUNT = 5  # requests; `python -m bench.remake` draws as many as one likes
SEED = 3


def test_random_pictures_are_made_again_bit_for_bit_from_their_own_png(tmp_path: Path) -> None:
    kinds, wrong = remade(tmp_path, COUNT, SEED)
    assert wrong == []
    assert kinds.total() >= COUNT and len(kinds) >= 4
