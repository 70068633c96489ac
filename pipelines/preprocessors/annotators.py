"""The networks that preprocessors need: which files they are, where those may lie, and how they are read. Never from the network.

    <a folder of models>/annotators/<place>/     the studio's own place

What other programs keep is found as well, when the folder of models is theirs: `models` of ComfyUI, A1111 or Forge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

HUB_FOLDER = ("config.json", "preprocessor_config.json", "model.safetensors")  # of a model of transformers
STARTER = "starter_depth"


@dataclass(frozen=True)
class Weights:
    """A file, as its repository on the Hugging Face hub calls it. The same in safetensors' format will do as well."""

    repo: str
    path: str  # inside the repository
    also: tuple[str, ...] = ()  # other files that do the same

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called, the best first."""
        own = (self.name, *self.also)
        return tuple(dict.fromkeys([*(f"{name.rpartition('.')[0]}.safetensors" for name in own), *own]))


@dataclass(frozen=True)
class Kind:
    """A line of the list of annotators."""

    opened_by: str  # the file of this package and its function: paths of the files -> Annotator
    files: tuple[Weights, ...]
    place: str = ""  # the folder's name; "": the key
    elsewhere: str = ""  # what the folder is called in A1111's and Forge's places
    nearness: str = ""  # of a depth estimator: the function that estimates, (pixels, annotator) -> (h, w), more is nearer


@dataclass(frozen=True)
class Annotator:
    """Networks with their weights. The memory manager may move them; whoever runs them asks them where they are."""

    networks: tuple[nn.Module, ...]
    processor: Any = None  # Any: of transformers, a class for each network: makes its input of a picture
    key: str = ""

    @property
    def bytes(self) -> int:
        tensors = [tensor for network in self.networks for tensor in (*network.parameters(), *network.buffers())]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def __call__(self, values: Tensor, network: int = 0) -> Any:  # Any: each network answers in its own way
        """What one of its networks makes of its input, wherever that lies."""
        import torch

        run = self.networks[network]
        weight = next(run.parameters())
        with torch.inference_mode():
            return run(values.to(weight.device, weight.dtype))


def _annotators(*paths: str, also: tuple[str, ...] = ()) -> tuple[Weights, ...]:
    return tuple(Weights("lllyasviel/Annotators", path, also) for path in paths)


def _folder(repo: str) -> tuple[Weights, ...]:
    return tuple(Weights(repo, path) for path in HUB_FOLDER)


BODY, HANDS, FACE = "body_pose_model.pth", "hand_pose_model.pth", "facenet.pth"
LARGER_SAM = ("sam_vit_h_4b8939.pth", "sam_vit_l_0b3195.pth", "sam_vit_b_01ec64.pth")
DEPTH = "transformers_depth.nearness"

ANNOTATORS: dict[str, Kind] = {
    "hed": Kind("hed.opened", _annotators("ControlNetHED.pth"), elsewhere="hed"),
    "pidinet": Kind("pidinet.opened", _annotators("table5_pidinet.pth"), elsewhere="pidinet"),
    "teed": Kind("teed.opened", (Weights("fal-ai/teed", "5_model.pth", ("7_model.pth",)),), elsewhere="TEED"),
    "anyline": Kind("teed.opened", (Weights("TheMistoAI/MistoLine", "Anyline/MTEED.pth"),)),
    "line_art": Kind("line_art_realistic.opened", _annotators("sk_model.pth"), "line_art", "lineart"),
    "line_art_coarse": Kind("line_art_realistic.opened", _annotators("sk_model2.pth"), "line_art", "lineart"),
    "line_art_anime": Kind("line_art_anime.opened", _annotators("netG.pth"), elsewhere="lineart_anime"),
    "mlsd": Kind("mlsd.opened", _annotators("mlsd_large_512_fp32.pth"), elsewhere="mlsd"),
    "openpose": Kind("openpose.opened", _annotators(BODY), "openpose", "openpose"),
    "openpose_hands": Kind("openpose.opened", _annotators(BODY, HANDS), "openpose", "openpose"),
    "openpose_face": Kind("openpose.opened", _annotators(BODY, FACE), "openpose", "openpose"),
    "openpose_full": Kind("openpose.opened", _annotators(BODY, HANDS, FACE), "openpose", "openpose"),
    "midas": Kind("midas.opened", _annotators("dpt_hybrid-midas-501f0c75.pt"), "", "midas", "midas.nearness"),
    "normal_bae": Kind("normal_bae.opened", _annotators("scannet.pt"), elsewhere="normal_bae"),
    "zoe": Kind("zoe.opened", _annotators("ZoeD_M12_N.pt"), "", "zoedepth", "zoe.nearness"),
    "leres": Kind("leres.opened", _annotators("res101.pth"), "", "leres", "leres.nearness"),
    "segment_anything": Kind("segment_anything.opened", (Weights("dhkim2810/MobileSAM", "mobile_sam.pt", LARGER_SAM),)),
    STARTER: Kind("transformers_depth.opened", _folder("atelier"), nearness=DEPTH),
    "depth_anything_v2": Kind("transformers_depth.opened", _folder("depth-anything/Depth-Anything-V2-Small-hf"), nearness=DEPTH),
    "dpt": Kind("transformers_depth.opened", _folder("Intel/dpt-large"), nearness=DEPTH),
    "zoedepth": Kind("transformers_depth.opened", _folder("Intel/zoedepth-nyu-kitti"), nearness=DEPTH),
    "depth_pro": Kind("transformers_depth.opened", _folder("apple/DepthPro-hf"), nearness=DEPTH),
    "safety_checker": Kind("safety.opened", _folder("CompVis/stable-diffusion-safety-checker")),  # reads no maps: see `services.safety`
    "segformer": Kind("segformer.opened", _folder("nvidia/segformer-b0-finetuned-ade-512-512")),
}


class Annotators:
    """Finds and reads annotators. Safe to ask from any thread; `load` is for the thread that runs models."""

    def __init__(self, folders: Sequence[Path], starter: Path) -> None:
        """`folders`: of models, the studio's own first. `starter`: the folder of the model that comes with the studio."""
        self._folders = tuple(Path(folder) for folder in folders)
        self._starter = Path(starter)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of models."""
        return self._folders

    def missing(self, key: str) -> str:
        """ "" when all its files are there, else a sentence that says which to put where."""
        if self._paths(key):
            return ""
        if key == STARTER:
            return "The depth estimator that comes with the studio is not there. Get the studio's files again."
        return f"Put {_listed([file.name for file in ANNOTATORS[key].files])} of {_repo(key)} into {self._shown_place(key)}."

    def own_place(self, key: str) -> Path | None:
        """The folder where the studio keeps its files; none for what comes with the studio, and without folders of models."""
        return None if key == STARTER or not self._folders else self._folders[0] / "annotators" / (ANNOTATORS[key].place or key)

    def wanted(self, key: str) -> tuple[Weights, ...]:
        """The files that its own place lacks, while it cannot be read from anywhere."""
        place = self.own_place(key)
        if place is None or self._paths(key):
            return ()
        return tuple(file for file in ANNOTATORS[key].files if not _first(place, file.names))

    def files(self, key: str) -> tuple[Path, ...]:
        """What it is read from; nothing where some of it is missing."""
        return self._paths(key)

    def size(self, key: str) -> int:
        """Bytes of its files: about what it takes in memory."""
        return sum(path.stat().st_size for path in self._paths(key))

    def fingerprint(self, key: str) -> tuple[tuple[str, int, int], ...]:
        """What its files look like from outside: another when one has changed. Raises `UserError` when they are missing."""
        paths = self._paths(key)
        if not paths:
            raise UserError(self.missing(key))
        return tuple((str(path), status.st_size, status.st_mtime_ns) for path in paths for status in [path.stat()])

    def load(self, key: str, device: torch.device, dtype: torch.dtype) -> Annotator:
        """Reads it. Raises `UserError` when files are missing or are others.

        float32 is what all of them run in; OpenPose, Zoe and LeReS prepare their input themselves and take nothing else.
        """
        from models.memory.device import mend_torchvision
        from pipelines.preprocessors import named

        paths = self._paths(key)
        if not paths:
            raise UserError(self.missing(key))
        mend_torchvision()  # before controlnet-aux and transformers, which import it
        opened: Annotator = named(ANNOTATORS[key].opened_by)(paths)
        for network in opened.networks:
            network.to(device)  # Zoe's takes nothing else
            if next(network.parameters()).dtype != dtype:
                network.to(dtype)
        return replace(opened, key=key)

    def _paths(self, key: str) -> tuple[Path, ...]:
        """Its files, all from one folder; empty when no folder has them all."""
        for folder in self._places(key):
            found = [_first(folder, file.names) for file in ANNOTATORS[key].files]
            paths = tuple(path for path in found if path)
            if len(paths) == len(found):
                return paths
        return ()

    def _places(self, key: str) -> Iterator[Path]:
        if key == STARTER:
            yield self._starter / "depth_estimator"
            return
        for folder in self._folders:
            yield folder / "annotators" / (ANNOTATORS[key].place or key)
            yield from _others_places(folder, ANNOTATORS[key])

    def _shown_place(self, key: str) -> str:
        """With the last two names of the folder only: where it lies on the disk is nobody's business."""
        parts = self._folders[0].parts[-2:] if self._folders else ("models",)
        return "/".join((*parts, "annotators", ANNOTATORS[key].place or key))


def _others_places(folder: Path, kind: Kind) -> Iterator[Path]:
    """Where Forge, sd-webui-controlnet and comfyui_controlnet_aux keep theirs, as seen from their folder `models`."""
    if kind.elsewhere:
        yield folder / "ControlNetPreprocessor" / kind.elsewhere
        yield folder.parent / "extensions" / "sd-webui-controlnet" / "annotator" / "downloads" / kind.elsewhere
    first = kind.files[0]
    yield (folder.parent / "custom_nodes" / "comfyui_controlnet_aux" / "ckpts" / first.repo / first.path).parent


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _repo(key: str) -> str:
    return ANNOTATORS[key].files[0].repo


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
