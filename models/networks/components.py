"""The components of a checkpoint: for each network its sizes and the place of its tensors. Headers and small JSON files only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from models.errors import UserError
from models.families import Family
from models.kits import suffixes
from models.networks.build import Blank, blank_encoder, blank_unet, blank_vae, of_class
from models.tensors.embedded_sizes import own_sizes
from models.tensors.header import Header, read_header
from models.tensors.layouts import LCM_GUIDANCE, Names, encoder_names, unet_names, vae_names
from models.tensors.sources import Source, config, folder_source

STARTER_VAE = Path(__file__).parents[1] / "starter" / "vae" / "config.json"


@dataclass(frozen=True)
class Part:
    """One network of a model."""

    component: str  # "unet", "vae", "clip_l", "clip_h" or "clip_g"
    sizes: Mapping[str, object]
    source: Source

    def blank(self) -> Blank[nn.Module]:
        if self.component == "unet":
            return blank_unet(self.source.part, self.sizes)
        if self.component == "vae":
            return blank_vae(self.source.part, self.sizes)
        return blank_encoder(self.source.part, self.component, self.sizes)


def components(family: Family) -> tuple[str, ...]:
    """Small ones first, so that their bytes come in while the large one is built."""
    return (*family.text.encoders, "vae", "unet")


def folder_parts(folder: Path, family: Family, rest: Path | None = None) -> list[Part]:
    """Of a folder in the diffusers layout. `rest`: the folder of everything but the UNet, where that is another.

    Raises `UserError` when a part is not there or of another kind.
    """
    names = {key: f"text_encoder{suffix}" for key, suffix in suffixes(family.key).items()} | {"unet": "unet", "vae": "vae"}
    places = {component: folder if component == "unet" else rest or folder for component in names}
    return [folder_part(component, places[component] / names[component]) for component in components(family)]


def folder_part(component: str, folder: Path) -> Part:
    source, sizes = folder_source(folder), config(folder / "config.json")
    return Part(component, of_class(source.part, sizes, component), source)


def file_parts(file: Path, family: Family, kit: Path, others: Mapping[str, Path]) -> list[Part]:
    """Of a single file. `others`: component -> the file or folder that it is taken from instead, or because this one lacks it."""
    header = read_header(file)
    return [
        other_part(component, others[component], family, kit) if component in others else file_part(component, file, header, family, kit)
        for component in components(family)
    ]


def other_part(component: str, path: Path, family: Family, kit: Path) -> Part:
    return folder_part(component, path) if path.is_dir() else file_part(component, path, read_header(path), family, kit)


def file_part(component: str, file: Path, header: Header, family: Family, kit: Path) -> Part:
    names = _names(component, header, family)
    if not names:
        raise UserError(f"“{file.stem}” holds no {_word(component)}. Look for the complete file of this model.")
    source = Source(f"{_word(component)} of “{file.stem}”", [(file, header)], names)
    sizes = config(kit / f"{component}.json") | own_sizes(header.metadata, component)
    return Part(component, sizes | _unet_sizes(source) if component == "unet" else sizes, source)


def vae_parts(file: Path, family: Family, kit: Path) -> list[Part]:
    """What a VAE on its own may be, the likeliest first: it fits the public models, or else the starter."""
    if file.is_dir():
        return [folder_part("vae", file / "vae" if (file / "vae").is_dir() else file)]
    part = file_part("vae", file, read_header(file), family, kit)
    return [part, Part("vae", config(STARTER_VAE), part.source)]


def latent_channels(part: Part) -> int:
    """Of a VAE, as its file says; 0 when it does not."""
    info = part.source.weights.get("decoder.conv_in.weight")
    return info.shape[1] if info and len(info.shape) == 4 else 0


def _word(component: str) -> str:
    return {"unet": "UNet", "vae": "VAE"}.get(component, "text encoder")


def _names(component: str, header: Header, family: Family) -> Names:
    names = list(header.tensors)
    if component == "unet":
        return unet_names(names)
    return vae_names(names) if component == "vae" else encoder_names(names, family.key, component)


def _unet_sizes(source: Source) -> dict[str, object]:
    """What differs among the models of one family: inpainting, depth and editing have more channels, LCM is told the guidance."""
    weights = source.weights
    sizes: dict[str, object] = {}
    for name in ("input_blocks.0.0.weight", "conv_in.weight"):
        if name in weights and len(weights[name].shape) == 4:
            sizes["in_channels"] = weights[name].shape[1]
    for name in LCM_GUIDANCE:
        if name in weights and len(weights[name].shape) == 2:
            sizes["time_cond_proj_dim"] = weights[name].shape[1]
    return sizes
