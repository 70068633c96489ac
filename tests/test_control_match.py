"""Which model reads the map of a preprocessor: by the names that authors give their files, and by the starter's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.files import Identity, ModelFile
from models.library.catalog import Catalog
from pipelines.preprocessors import PREPROCESSORS
from pipelines.resolving.control_match import READ_BY, readers

STARTER = Path(__file__).parent.parent / "models" / "starter"


def model(name: str, variant: str = "") -> ModelFile:
    return ModelFile(name, name, Path(f"{name}.safetensors"), 0, 0.0, Identity("controlnet", "sd1", variant))


IN_THE_WILD = (
    "control_v11p_sd15_canny", "control_v11p_sd15_softedge", "control_v11p_sd15_lineart", "control_v11p_sd15s2_lineart_anime",
    "control_v11p_sd15_scribble", "control_v11p_sd15_mlsd", "control_v11f1p_sd15_depth", "control_v11p_sd15_normalbae",
    "control_v11p_sd15_openpose", "control_v11p_sd15_seg", "control_v11e_sd15_shuffle", "control_v11f1e_sd15_tile",
    "control_v11p_sd15_inpaint", "control_v1p_sd15_brightness", "sai_xl_recolor_256lora", "t2iadapter_composition",
)  # fmt: skip


def test_every_preprocessor_is_in_the_table_once() -> None:
    assert set(READ_BY) == set(PREPROCESSORS)


@pytest.mark.parametrize(("preprocessor", "name"), [
    ("Canny", "canny"), ("HED", "softedge"), ("TEED", "softedge"), ("Line art", "sd15_lineart"), ("Line art anime", "lineart_anime"),
    ("Scribble", "scribble"), ("Scribble HED", "scribble"), ("MLSD", "mlsd"), ("Depth Pro", "depth"), ("Zoe", "depth"),
    ("Normal BAE", "normalbae"), ("OpenPose full", "openpose"), ("Segformer", "seg"), ("Shuffle", "shuffle"), ("Tile", "tile"),
    ("Recolour luminance", "recolor"), ("Threshold", "brightness"), ("Inpaint mask", "inpaint"), ("AnyLine", "sd15_lineart"),
])  # fmt: skip
def test_a_map_is_given_to_the_model_that_is_named_after_it(preprocessor: str, name: str) -> None:
    for names in (IN_THE_WILD, IN_THE_WILD[::-1]):
        assert name in readers([model(each) for each in names])[preprocessor]


@pytest.mark.parametrize(("preprocessor", "name"), [("OpenPose", "OpenPoseXL2"), ("AnyLine", "mistoLine_rank256"), ("Tile", "promaxTile")])
def test_a_word_is_found_whether_capitals_part_it_or_set_it_apart(preprocessor: str, name: str) -> None:
    assert readers([model(name)])[preprocessor] == name


@pytest.mark.parametrize("name", ["t2iadapter_juxtaposed", "bleached", "purpose", "sextile", "dissegno"])
def test_a_short_word_within_another_one_says_nothing(name: str) -> None:
    assert readers([model(name)]) == {}


def test_a_union_reads_every_kind_of_map_that_it_has_a_name_for_if_no_other_does() -> None:
    found = readers([model("promax", "union"), model("MyCannyXL")])
    assert {found[name] for name in PREPROCESSORS if PREPROCESSORS[name].union_kind} == {"promax", "MyCannyXL"}
    assert found["Canny"] == "MyCannyXL" and "Shuffle" not in found and "None" not in found


def test_the_starter_reads_every_map_of_lines_and_every_map_of_depths() -> None:
    catalog = Catalog(STARTER)
    names = {entry.id: entry.name for entry in catalog.models("controlnet")}
    found = {preprocessor: names[entry] for preprocessor, entry in readers(catalog.models("controlnet")).items()}
    depths = {name for name, entry in PREPROCESSORS.items() if entry.union_kind == "Depth"}
    lines = {name for name, entry in PREPROCESSORS.items() if entry.union_kind in ("Soft edge", "Hard edge")} - {"Threshold"}
    assert found == dict.fromkeys(depths, "depth") | dict.fromkeys(lines, "outlines")
