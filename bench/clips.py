"""Clips on a small video model of random weights: a job against the sum of its network calls, what previews add, how soon the next job
begins while a clip as large as a full-size one is written, and a full-size file against one plain read of it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from PIL import Image
from safetensors.torch import save_file

from bench.engine import HERE, USER, job_seconds, watched
from bench.load import PLAIN, timed
from bench.paired import Row, Timed, compare, row, take_turns
from models.kits import KITS
from models.library.catalog import Catalog
from models.loading.video import load_image_encoder, load_video
from models.memory.clip_forecast import UNET, VAE, VISION, ClipWork
from models.memory.device import Device, mend_torchvision
from models.memory.offload import HOST
from models.networks.video import blank_video_unet, blank_video_vae
from models.tensors.sources import config
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.request import Clip, Request
from pipelines.runtime.runner import ModelRunner, open_runner
from pipelines.steps.state import Numbers
from pipelines.studio import Studio
from tests.support import toy_video
from tests.support.drawing import blots
from tests.support.full_size import Repeating, drawn, write_json
from tests.support.toy_video import as_video, write_folder

FRAMES, STEPS, SIDES = 4, 6, (128, 128)  # width, height: a clip takes a second
FULL = (1024, 576)  # pixels of the frames that are written meanwhile
SPARE = 2.5  # bytes free in memory and on the disk, for each byte of the full-size file
KIT = KITS / "svd"
EYE = {  # the encoder of pictures, ViT-H
    "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16, "patch_size": 14,
    "image_size": 224, "projection_dim": 1024, "hidden_act": "gelu",
}  # fmt: skip


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, outputs, runner, request):
        variants: dict[str, Timed] = {
            "bare calls of encoder, UNet and VAE": lambda: bare_calls(runner, request),
            "job, nobody watching": lambda: job_seconds(atelier, request),
            "job, previews at every step": lambda: watched(atelier, request, viewers=1),
        }
        times = take_turns(variants, rounds)
        meanwhile = [next_begins(atelier, outputs, request) for _ in range(rounds)]
    rows = compare(times, "bare calls of encoder, UNet and VAE", {"job, nobody watching": 1.05})
    rows += compare(times, "job, nobody watching", {"job, previews at every step": 1.03})
    waits, writes = ([each[place] for each in meanwhile] for place in (0, 1))
    rows.append(row("next job begins / the clip before it is written", waits, writes, 0.25))
    return [*rows, *full_size(min(rounds, 3))]


@contextmanager
def studio() -> Iterator[tuple[Studio, Timekeeper, ModelRunner, Clip]]:
    """A studio with a small video model, and the clip that is asked for."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        write_folder(folder / "models" / "checkpoints" / "small", toy_video.toy_video(), FRAMES)
        catalog = Catalog(HERE / "models" / "starter", [folder / "models"])
        catalog.rescan(wait=True)
        outputs = Timekeeper(folder / "outputs")
        inputs = Inputs(outputs.folder / INPUTS)
        runner = open_runner(catalog, "cpu", inputs)
        book = JobBook(outputs.folder / "studio.db", outputs.folder)
        annotators = Annotators([], HERE / "models" / "starter")
        made = Studio(catalog, outputs, book, lambda: runner, inputs=inputs, annotators=annotators)
        made.start()
        stack.callback(made.close)
        picture = inputs.keep(blots(SIDES))
        book.inputs.give(picture, USER)
        model = next(entry.id for entry in catalog.models("checkpoint") if entry.called == "small")
        width, height = SIDES
        yield made, outputs, runner, Clip(image=picture, checkpoint=model, frames=FRAMES, steps=STEPS, width=width, height=height, seed=1)


def bare_calls(runner: ModelRunner, request: Clip) -> float:
    """What the networks are asked in one clip, in its shapes, with nothing between."""
    width, height = request.size
    latents, beside = torch.randn(1, FRAMES, 8, height // 8, width // 8), torch.randn(1, 3, height, width)
    begun = time.perf_counter()
    with torch.inference_mode(), runner.picture_encoder(request.checkpoint) as vision:
        side: Any = vision.network.config.image_size
        seen = vision.network(torch.randn(1, 3, side, side)).image_embeds.unsqueeze(1)
    with torch.inference_mode(), runner.video(request.checkpoint, ClipWork(FRAMES, width, height)) as model:
        unet: Any = model.unet
        vae: Any = model.vae
        vae.encode(beside)
        for _ in range(2 * STEPS):
            unet(latents, torch.tensor([0.5]), seen, torch.tensor([[6.0, 127.0, 0.02]]), return_dict=False)
        vae.decode(latents[0, :, :4], num_frames=FRAMES)
    return time.perf_counter() - begun


class Timekeeper(Outputs):
    """Notes when frames begin to be made into a file. `full`: these are as large as those of a full-size model."""

    full, begun = False, 0.0

    def encoded(
        self, frames: Sequence[Image.Image], request: Request, made_with: dict[str, str], latents: Numbers | None = None
    ) -> Mapping[str, bytes]:
        self.begun = self.begun or time.time()
        return super().encoded([frame.resize(FULL) for frame in frames] if self.full else frames, request, made_with, latents)


def next_begins(atelier: Studio, outputs: Timekeeper, request: Clip) -> tuple[float, float]:
    """Of two clips in a row: seconds from the first one's last pixel until the second is begun, and until the first is a file."""
    outputs.full, outputs.begun = True, 0.0
    jobs = [atelier.submit(replace(request, seed=seed), USER) for seed in (1, 2)]
    while any(atelier.job(each, USER).ended is None for each in jobs):
        time.sleep(0.02)
    outputs.full, (first, second) = False, [atelier.job(each, USER) for each in jobs]
    assert first.ended and second.started
    return second.started - outputs.begun, first.ended - outputs.begun


# ---- loading -------------------------------------------------------------------------------------------------------------------


def full_size(rounds: int) -> list[Row]:
    """A folder of random numbers in half precision, 4.5 GB. Says so where memory or disk has not the room."""
    free = min(psutil.virtual_memory().available, psutil.disk_usage(tempfile.gettempdir()).free)
    if free < SPARE * (size := 2 * (UNET + VAE + VISION)):
        print(f"   loading a full-size video model takes {SPARE * size / 1e9:.0f} GB, and {free / 1e9:.0f} GB are free: left out")
        return []
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name) / "svd")
        files = [*folder.glob("*/*.safetensors")]
        times = take_turns({PLAIN: timed(lambda: [file.read_bytes() for file in files]), "loading": timed(lambda: opened(folder))}, rounds)
    return compare(times, PLAIN, {"loading": 1.3})


def opened(folder: Path) -> Any:
    device = Device(HOST, torch.float16)
    return load_video(as_video(folder), device), load_image_encoder(as_video(folder), device)


def write(folder: Path) -> Path:
    """In the layout of diffusers."""
    mend_torchvision()
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    with torch.device("meta"):
        vision = CLIPVisionModelWithProjection(CLIPVisionConfig(**EYE))
        parts = {
            "unet": ("UNetSpatioTemporalConditionModel", blank_video_unet("UNet", config(KIT / "unet.json")).network),
            "vae": ("AutoencoderKLTemporalDecoder", blank_video_vae("VAE", config(KIT / "vae.json"), timed=True).network),
        }
    random = Repeating(0, torch.float16)
    for name, (kind, network) in parts.items():
        write_json(folder / name / "config.json", {**config(KIT / f"{name}.json"), "_class_name": kind})
        _save(folder / name / "diffusion_pytorch_model.safetensors", network, random)
    write_json(
        folder / "image_encoder" / "config.json",
        {**EYE, "model_type": "clip_vision_model", "architectures": ["CLIPVisionModelWithProjection"]},
    )
    _save(folder / "image_encoder" / "model.safetensors", vision, random)
    return folder


def _save(file: Path, network: torch.nn.Module, random: Repeating) -> None:
    save_file({name: drawn(name, tensor, random) for name, tensor in network.state_dict().items()}, file)
