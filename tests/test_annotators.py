"""Preprocessors with networks: the real ones with weights made by chance, against controlnet-aux's own classes and closed forms."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from models.memory.device import mend_torchvision
from pipelines.preprocessors import PREPROCESSORS, TABLE, Preprocessor, preprocess
from pipelines.preprocessors.annotators import ANNOTATORS, Annotator, Annotators
from tests.support import annotator_toys
from tests.test_preprocessors import scene

CPU = torch.device("cpu")
RUN_HERE = [entry for entry in TABLE if entry.weights and entry.weights not in (*annotator_toys.LARGE, *annotator_toys.RUN_BY_HAND)]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    mend_torchvision()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"controlnet_aux|timm|scipy")
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models; what is asked for is written to it once."""
    return tmp_path_factory.mktemp("models")


def annotators(root: Path) -> Annotators:
    return Annotators([root], root / "starter")


def loaded(root: Path, key: str) -> Annotator:
    if annotators(root).missing(key):
        annotator_toys.write(root, key)
    return annotators(root).load(key, CPU, torch.float32)


def drawn(name: str, annotator: Annotator, a: float = -1, b: float = -1) -> NDArray[np.uint8]:
    return np.asarray(preprocess(name, Image.fromarray(scene()), 128, a, b, annotator))


class Fake(nn.Module):
    """A network that answers with what it was given: (1, channels, h, w)."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.answer = answer

    def forward(self, values: torch.Tensor) -> Any:
        return self.answer(values) if callable(self.answer) else self.answer


def faked(key: str, answer: Any) -> Annotator:
    return Annotator((Fake(answer),), key=key)


# ---- real networks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", RUN_HERE, ids=[entry.name for entry in RUN_HERE])
def test_every_network_runs(entry: Preprocessor, root: Path) -> None:
    annotator = loaded(root, entry.weights)
    made = preprocess(entry.name, Image.fromarray(scene(70, 66)), 64, -1, -1, annotator)
    assert (made.mode, made.size) == ("RGB", (68, 64))
    assert annotator.bytes >= sum(weight.nbytes for one in annotator.networks for weight in one.parameters()) > 0


def test_what_is_run_by_hand_is_all_that_is_not_run_here() -> None:
    elsewhere = {"safety_checker"}  # tests/test_safety.py
    run = {entry.weights for entry in RUN_HERE} | {*annotator_toys.LARGE, *annotator_toys.RUN_BY_HAND}
    assert run == set(ANNOTATORS) - elsewhere


def reference(name: str, folder: Path) -> NDArray[np.uint8]:
    """What controlnet-aux's own class makes of the same files."""
    aux: Any = importlib.import_module("controlnet_aux")  # its detectors are in no stub

    sizes = {"detect_resolution": 128, "image_resolution": 128, "output_type": "np"}
    place = str(folder)
    calls = {
        "HED": lambda: aux.HEDdetector.from_pretrained(place)(scene(), **sizes),
        "Scribble HED": lambda: aux.HEDdetector.from_pretrained(place)(scene(), **sizes, scribble=True),
        "PidiNet": lambda: aux.PidiNetDetector.from_pretrained(place)(scene(), **sizes),
        "Line art realistic": lambda: _line_art(folder)(scene(), **sizes),
        "Line art coarse": lambda: _line_art(folder)(scene(), **sizes, coarse=True),
        "MLSD": lambda: aux.MLSDdetector.from_pretrained(place)(scene(), **sizes),
        "TEED": lambda: aux.TEEDdetector.from_pretrained(place, "5_model.pth")(scene(), 128, output_type="np"),
    }
    return np.asarray(calls[name]())


def _line_art(folder: Path) -> Any:
    """It wants both files at once."""
    from controlnet_aux import LineartDetector

    return LineartDetector.from_pretrained(str(folder))


@pytest.mark.parametrize("name", ["HED", "Scribble HED", "PidiNet", "Line art realistic", "Line art coarse", "MLSD", "TEED"])
def test_the_map_is_that_of_controlnet_aux(name: str, root: Path) -> None:
    for key in ("line_art", "line_art_coarse"):
        loaded(root, key)
    annotator = loaded(root, PREPROCESSORS[name].weights)
    kind = ANNOTATORS[PREPROCESSORS[name].weights]
    expected = reference(name, root / "annotators" / (kind.place or PREPROCESSORS[name].weights))
    assert np.abs(drawn(name, annotator).astype(int) - expected).max() <= 1


def test_line_art_of_anime_is_that_of_controlnet_aux_where_nothing_is_stretched(root: Path) -> None:
    from controlnet_aux import LineartAnimeDetector

    annotator, pixels = loaded(root, "line_art_anime"), scene(256, 256)
    detector = LineartAnimeDetector.from_pretrained(str(root / "annotators" / "line_art_anime"))
    expected = np.asarray(detector(pixels, 256, 256, output_type="np")).astype(int)
    assert np.abs(np.asarray(preprocess("Line art anime", Image.fromarray(pixels), 256, 0, 0, annotator)) - expected).max() <= 1


def test_few_steps_of_brightness_leave_few_shades(root: Path) -> None:
    shades = np.unique(drawn("HED", loaded(root, "hed"), 2))
    assert set(shades) <= {0, 127, 255}


# ---- depth ---------------------------------------------------------------------------------------------------------------------

RAMP = np.tile(np.linspace(1, 11, 192, dtype=np.float32), (128, 1))


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("MiDaS", torch.from_numpy(RAMP)[None], (RAMP - 1) / 10),
        ("Zoe", torch.from_numpy(RAMP)[None, None], np.clip(1 - (RAMP - 1.2) / (9.5 - 1.2), 0, 1)),
        ("LeReS", torch.from_numpy(RAMP)[None, None], 1 - (RAMP - 1) / 10),
    ],
)
def test_what_is_near_is_white(name: str, answer: torch.Tensor, expected: NDArray[np.float32]) -> None:
    from pipelines.preprocessors.depth import estimate_depth

    annotator = faked(PREPROCESSORS[name].weights, answer)
    network = annotator.networks[0]
    network.infer = network.depth_model = network  # as Zoe and LeReS call theirs
    assert np.abs(drawn(name, annotator)[..., 0] - expected * 255).max() <= 2
    found = estimate_depth(annotator, Image.fromarray(scene()))
    assert (found.dtype, found.shape, found.min(), found.max()) == (np.float32, (128, 192), 0, 1)
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("key", [key for key, kind in ANNOTATORS.items() if kind.nearness and key in annotator_toys.FOLDERS])
def test_an_estimate_has_the_size_of_its_picture(key: str, root: Path) -> None:
    from pipelines.preprocessors.depth import estimate_depth

    found = estimate_depth(loaded(root, key), Image.fromarray(scene(70, 50)))
    assert (found.dtype, found.shape) == (np.float32, (50, 70))
    assert (found.min(), found.max()) == (0, 1) or not found.any()  # what chance has made may see no depth at all


def test_estimators_of_nearness_agree_with_the_pipeline_of_transformers(root: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation, pipeline

    folder = root / "annotators" / "dpt"
    annotator = loaded(root, "dpt")
    parts = AutoModelForDepthEstimation.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    expected = pipeline("depth-estimation", model=parts[0], image_processor=parts[1])(Image.fromarray(scene()))["depth"]
    assert np.abs(drawn("DPT", annotator)[..., 0].astype(int) - np.asarray(expected)).max() <= 1


def test_metres_are_turned_over(tmp_path: Path) -> None:
    from pipelines.preprocessors.depth import estimate_depth

    network, processor = annotator_toys._depth_anything("metric")
    annotator = Annotator((network.eval(),), processor, "depth_anything_v2")
    values = processor(images=Image.fromarray(scene()), return_tensors="pt")
    metres = processor.post_process_depth_estimation(network(**values), target_sizes=[(128, 192)])[0]["predicted_depth"].detach().numpy()
    near = 1 / metres.clip(min=1e-4)
    found = estimate_depth(annotator, Image.fromarray(scene()))
    assert found == pytest.approx((near - near.min()) / np.ptp(near), abs=1e-3)


# ---- normals, poses, segments --------------------------------------------------------------------------------------------------


def test_a_plane_that_faces_us_has_normals_that_do() -> None:
    flat = faked("midas", torch.ones(1, 128, 192))
    assert (drawn("MiDaS normals", flat) == (255, 127, 127)).all()
    towards = torch.tensor([0.0, 0.0, 1.0, 50.0]).view(1, 4, 1, 1).expand(1, 4, 128, 192)
    assert (drawn("Normal BAE", faked("normal_bae", [[towards]])) == (127, 127, 255)).all()


def test_normals_of_midas_lean_as_the_depth_does() -> None:
    leaning = drawn("MiDaS normals", faked("midas", torch.from_numpy(RAMP)[None] * 10), 0)[64, 96]
    across = 8 * 100 / 191  # of a Sobel filter, against the steepness of 2 pi
    length = np.hypot(across, 2 * np.pi)
    assert leaning == pytest.approx([127.5 + 127.5 * 2 * np.pi / length, 127.5, 127.5 + 127.5 * across / length], abs=1.5)


def arm() -> Any:
    """What the network for bodies says of a neck, a right shoulder, elbow and wrist in a row: fields along it, and where each is."""
    heat, fields = np.zeros((19, 24, 24), np.float32), np.zeros((38, 24, 24), np.float32)
    for part, across in {1: 5, 2: 9, 3: 13, 4: 17}.items():
        heat[part, 12, across] = 3
    fields[[12, 14, 16]] = 1  # x of neck to shoulder, to elbow, to wrist
    return torch.from_numpy(fields)[None], torch.from_numpy(heat)[None]


def skeleton(name: str, *networks: Any) -> NDArray[np.uint8]:
    annotator = Annotator(tuple(Fake(answer) for answer in networks))
    return np.asarray(preprocess(name, Image.new("RGB", (192, 192)), 192, 0, 0, annotator))


def test_a_skeleton_is_drawn_where_the_network_sees_it() -> None:
    rows, columns = np.nonzero(skeleton("OpenPose", arm()).any(axis=2))
    assert (abs(rows.mean() - 104), rows.std()) < (6, 6)
    assert columns.min() < 60
    assert columns.max() > 140


def test_a_hand_is_looked_for_at_the_end_of_an_arm() -> None:
    def fingers(values: torch.Tensor) -> torch.Tensor:
        heat = torch.zeros(1, 22, values.shape[2] // 8, values.shape[3] // 8)
        for joint in range(21):
            heat[0, joint, heat.shape[2] // 2, heat.shape[3] * (joint + 5) // 32] = 1
        return heat

    body, both = skeleton("OpenPose", arm()), skeleton("OpenPose hands", arm(), fingers)
    rows, columns = np.nonzero((body != both).any(axis=2))
    assert len(rows) > 50
    assert columns.min() > 110  # beyond the elbow


def test_hands_and_faces_are_painted_as_controlnet_aux_paints_them() -> None:
    from controlnet_aux.open_pose import PoseResult
    from controlnet_aux.open_pose.body import BodyResult, Keypoint

    from pipelines.preprocessors.openpose import BONES, painted

    hand = [Keypoint(0.2 + 0.03 * (joint % 4), 0.2 + 0.03 * joint) for joint in range(21)]
    canvas = painted([PoseResult(BodyResult([None] * 18, 0, 0), hand, None, [Keypoint(0.8, 0.5)])], (200, 200))
    assert canvas[100, 160].tolist() == [255, 255, 255]
    assert canvas[40, 40].tolist() == [0, 0, 255]
    assert BONES[:5] == ((0, 1), (1, 2), (2, 3), (3, 4), (0, 5))
    first = {tuple(colour) for colour in canvas.reshape(-1, 3).tolist()}
    assert (255, 0, 0) in first  # the first bone of the thumb
    assert len(BONES) == 20


def test_segments_have_the_colours_of_ade20k(root: Path) -> None:
    from controlnet_aux.util import ade_palette

    colours = {tuple(colour) for colour in drawn("Segformer", loaded(root, "segformer")).reshape(-1, 3).tolist()}
    assert colours <= {tuple(colour) for colour in ade_palette()}
    assert len(colours) > 1


def test_every_part_gets_a_colour_of_its_own() -> None:
    network: Any = annotator_toys.small_segment_anything()
    for weight in network.mask_decoder.output_hypernetworks_mlps.parameters():
        weight.data.mul_(100)  # so that masks have sharp outlines
    made = preprocess("Segment Anything", Image.fromarray(scene(70, 66)), 64, 4, -1, Annotator((network,), key="segment_anything"))
    assert made.size == (68, 64)
    assert len(set(made.tobytes())) > 1


def test_of_masks_in_nearly_the_same_place_the_best_stays_and_small_ones_lie_on_top() -> None:
    from pipelines.preprocessors.segment_anything import _kept, painted

    masks = torch.full((3, 256, 256), -5.0)
    masks[0, :200], masks[1, :190], masks[2, 50:80, 50:80] = 5, 5, 5
    kept = _kept(masks, torch.tensor([0.9, 0.95, 0.93]))
    assert [int((mask > 0).sum()) for mask in kept] == [190 * 256, 30 * 30]
    canvas = painted([(mask > 0).numpy() for mask in kept], (256, 256))
    assert len({tuple(canvas[place]) for place in ((0, 0), (60, 60), (255, 255))}) == 3
