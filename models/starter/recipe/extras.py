"""Trains the starter's extras on its shipped weights and writes their files:

    python -m models.starter.recipe.extras lora
    python -m models.starter.recipe.extras vae
    python -m models.starter.recipe.extras embedding
    python -m models.starter.recipe.extras_evaluate

Each may be stopped and started again and goes on where it was; once done it only writes its file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.starter.recipe import extras_embedding, extras_lora, extras_vae
from models.starter.recipe.sampling import STARTER, Starter, load_starter

FILES = {"lora": "loras/ink.safetensors", "vae": "vae/warm-print.safetensors", "embedding": "embeddings/moonpeak.safetensors"}

Training = Callable[[Starter, Path], dict[str, Tensor]]
TRAININGS: dict[str, Training] = {
    "lora": extras_lora.train_lora,
    "vae": extras_vae.train_vae,
    "embedding": extras_embedding.train_embedding,
}


def metadata(what: str) -> dict[str, str]:
    """What the file of an extra says of itself."""
    own = {"lora": extras_lora.metadata(extras_lora.COURSE), "vae": extras_vae.metadata(), "embedding": extras_embedding.metadata()}
    always = {"modelspec.sai_model_spec": "1.0.0", "modelspec.implementation": "diffusers", "modelspec.resolution": "128x128"}
    return always | {"modelspec.author": "Atelier", "modelspec.license": "that of the repository", "format": "pt"} | own[what]


def write(what: str, tensors: dict[str, Tensor], starter_folder: Path) -> Path:
    file = starter_folder / FILES[what]
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    save_file(tensors, partial, metadata(what))
    partial.chmod(0o644)  # safetensors writes for its owner alone
    return partial.replace(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=tuple(FILES))
    parser.add_argument("--starter", type=Path, default=STARTER)
    parser.add_argument("--folder", type=Path, default=Path("train"), help="checkpoints and latents")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wish = parser.parse_args()
    torch.set_num_threads(wish.threads)
    tensors = TRAININGS[wish.what](load_starter(wish.starter), wish.folder)
    print(write(wish.what, tensors, wish.starter))


if __name__ == "__main__":
    main()
