"""Trains the starter's models that move and turn pictures, on its shipped VAE:

    python -m models.starter.recipe.moving turn-vision --minutes 3
    python -m models.starter.recipe.moving turn --minutes 20
    python -m models.starter.recipe.moving clips --count 420
    python -m models.starter.recipe.moving video-vision --minutes 3
    python -m models.starter.recipe.moving video --minutes 80
    python -m models.starter.recipe.moving export
    python -m models.starter.recipe.turn_evaluate --views 100
    python -m models.starter.recipe.video_evaluate --clips 20

Each may be stopped and started again and goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from models.starter.recipe import turn_evaluate, turn_file, turn_stage, video_evaluate, video_file, video_stage
from models.starter.recipe.moving_vision import SIZE
from models.starter.recipe.sampling import STARTER, load_starter


def main() -> None:
    wish = _arguments()
    torch.set_num_threads(wish.threads)
    if wish.stage == "turn-vision":
        turn_stage.train_vision(wish.folder, SIZE, wish.minutes)
    elif wish.stage == "turn":
        turn_stage.train_turn(wish.folder, load_starter().vae, SIZE, wish.minutes)
    elif wish.stage == "clips":
        video_stage.encode_clips(wish.folder, load_starter().vae, SIZE, wish.first, wish.count)
    elif wish.stage == "video-vision":
        video_stage.train_vision(wish.folder, SIZE, wish.minutes)
    elif wish.stage == "video":
        video_stage.train_video(wish.folder, load_starter().vae, SIZE, wish.minutes)
    else:
        export(wish.folder)


def export(folder: Path, starter: Path = STARTER) -> None:
    """Write the starter's files of what has been trained so far: nothing of a model without a checkpoint."""
    if (folder / f"{turn_stage.TURN}.pt").exists():
        print(turn_file.write(turn_evaluate.from_checkpoints(folder), starter), *turn_file.write_things(starter))
    if (folder / f"{video_stage.VIDEO}.pt").exists():
        print(video_file.write(video_evaluate.from_checkpoints(folder), starter))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("stage", choices=("turn-vision", "turn", "clips", "video-vision", "video", "export"))
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--first", type=int, default=0, help="the number of the first clip to encode")
    parser.add_argument("--count", type=int, default=420, help="clips to encode")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--folder", type=Path, default=Path("train"), help="checkpoints and latents")
    return parser.parse_args()


if __name__ == "__main__":
    main()
