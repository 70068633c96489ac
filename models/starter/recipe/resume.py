"""Puts the shipped weights where the stages look for their checkpoints, so that a training can go on from them.

    python -m models.starter.recipe.resume
    python -m models.starter.recipe.train latents --count 20000
    python -m models.starter.recipe.train unet --minutes 30 --rate 4e-4

The optimizer's state and the caption reader are not shipped; both are back to their old selves within some hundred steps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from diffusers import AutoencoderKL

from models.starter.recipe.progress import save
from models.starter.recipe.sampling import STARTER, load_starter
from models.starter.recipe.unet_stage import Denoiser


def resume(starter_folder: Path, checkpoints: Path, size: int) -> None:
    """Write vae.pt, decoder.pt and unet.pt as the stages themselves write them."""
    starter = load_starter(starter_folder)
    denoiser = Denoiser(size, starter.tokenizer)
    denoiser.unet.load_state_dict(starter.unet.state_dict())
    denoiser.text_encoder.load_state_dict(starter.text_encoder.state_dict())
    weights = denoiser.state_dict()
    scale = starter.vae.config["scaling_factor"]
    save(checkpoints, "unet", {"network": weights, "average": weights, "step": 0, "seconds": 0.0, "scale": scale})
    for name in ("vae", "decoder"):
        save(checkpoints, name, _autoencoder(starter.vae))


def _autoencoder(vae: AutoencoderKL) -> dict[str, object]:
    weights = vae.state_dict()
    return {"network": weights, "average": weights, "step": 0, "seconds": 0.0}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--from", dest="starter", type=Path, default=STARTER, help="a starter folder")
    parser.add_argument("--folder", type=Path, default=Path("train"), help="where the checkpoints go")
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    wish = parser.parse_args()
    resume(wish.starter, wish.folder, wish.size)
