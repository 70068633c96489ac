"""Trains the starter model, stage by stage:

    python -m models.starter.recipe.train vae --minutes 25
    python -m models.starter.recipe.train latents --count 30000
    python -m models.starter.recipe.train decoder --minutes 30
    python -m models.starter.recipe.train text --minutes 20
    python -m models.starter.recipe.train unet --minutes 80

Each stage may be stopped and started again; checkpoints are in the folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from models.starter.recipe.latents_stage import encode_scenes
from models.starter.recipe.text_stage import train_text
from models.starter.recipe.unet_stage import LEARNING_RATE, train_unet
from models.starter.recipe.vae_stage import train_decoder, train_vae

TOKENIZER = Path(__file__).parent.parent / "tokenizer"


def main() -> None:
    wish = _arguments()
    torch.set_num_threads(wish.threads)
    device = torch.device(wish.device)
    if wish.stage == "vae":
        train_vae(wish.folder, wish.size, wish.minutes, device, batch=wish.batch)
    elif wish.stage == "decoder":
        train_decoder(wish.folder, wish.size, wish.minutes, device, batch=wish.batch)
    elif wish.stage == "latents":
        encode_scenes(wish.folder, wish.size, wish.count, device)
    elif wish.stage == "text":
        train_text(wish.folder, TOKENIZER, wish.size, wish.minutes, batch=wish.batch, rate=wish.rate)
    else:
        train_unet(
            wish.folder, TOKENIZER, wish.size, wish.minutes, device, batch=wish.batch, rate=wish.rate, flat=wish.flat, weak=wish.weak
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("stage", choices=("vae", "latents", "decoder", "text", "unet"))
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--batch", type=int, default=8, help="8 for the VAE, 64 for the text, 32 for the UNet")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="learning rate of text and UNet at its peak")
    parser.add_argument("--flat", type=float, default=0.7, help="share of the time at the peak")
    parser.add_argument("--weak", action="store_true", help="for weights that are trained: show more of what they draw wrong")
    parser.add_argument("--count", type=int, default=30000, help="pictures to encode")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--folder", type=Path, default=Path("train"), help="checkpoints and latents")
    return parser.parse_args()


if __name__ == "__main__":
    main()
