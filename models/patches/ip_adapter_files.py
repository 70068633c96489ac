"""Files of IP-Adapters, read into the network that they are.

Names as in the original files: `image_proj.*` and `ip_adapter.N.to_k_ip.weight` with N the odd numbers, in the order of diffusers'
attention processors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor, nn

from models.errors import UserError
from models.families import FAMILIES, Family
from models.files import ModelFile
from models.identify.control import IP_ADAPTER, control, kind_of
from models.memory.device import Device, mend_torchvision
from models.networks.build import Blank, built, check, fill, form_of
from models.patches.ip_adapter import IpAdapter, IpNetwork
from models.tensors.header import TensorInfo, read_header
from models.tensors.signature import Signature
from models.tensors.sources import Source

LAYER = re.compile(r"ip_adapter\.(\d+)\.to_([kv])_ip\.weight")
HEAD = 64  # numbers in each head of the projection's attention
INSIDE = {  # of a layer of the "plus" projection: the original's names -> diffusers'
    "0.norm1": "ln0", "0.norm2": "ln1", "0.to_q": "attn.to_q", "0.to_out": "attn.to_out.0",
    "1.0": "ff.0", "1.1": "ff.1.net.0.proj", "1.3": "ff.1.net.2",
}  # fmt: skip


def load_ip_adapter(file: ModelFile, family: Family, device: Device) -> IpAdapter:
    """Reads a safetensors file. Raises `UserError` when it is no IP-Adapter of the plain or "plus" kind, is for another family,
    damaged or incomplete.
    """
    header = read_header(file.path)
    told = control(Signature(header), header.metadata)
    if told is None or kind_of(told) != IP_ADAPTER:
        raise UserError(f"“{file.name}” is no IP-Adapter. Choose another file.")
    if not told.supported:
        raise UserError(told.note)
    if told.family and told.family != family.key:
        raise UserError(f"“{file.name}” was made for {FAMILIES[told.family].name}, not for {family.name}. Choose one that fits the model.")
    names = {name: name for name in header.tensors if name.startswith(("image_proj.", "ip_adapter."))}
    source = Source(f"IP-Adapter “{file.name}”", [(file.path, header)], names)
    blank = _blank(source)
    network = fill(blank, check(source, blank).read(form_of(device)), device)
    size = sum(weight.nbytes for weight in network.state_dict().values())
    return IpAdapter(file.name, network, "image_proj.latents" in names, size)


def _blank(source: Source) -> Blank[IpNetwork]:
    weights = source.weights
    numbers = sorted({int(found[1]) for name in weights if (found := LAYER.fullmatch(name))})
    network = built(source.part, partial(_network, weights, numbers), {}, ())
    return Blank(network, partial(_arranged, numbers))


def _network(weights: Mapping[str, TensorInfo], numbers: Sequence[int]) -> IpNetwork:
    """By the shapes of the tensors; a matrix that is missing has no size and is noticed."""
    projection = _plus(weights) if "image_proj.latents" in weights else _plain(weights)
    keys, values = ([_matrix(weights, number, letter) for number in numbers] for letter in "kv")
    return IpNetwork(projection, keys, values)


def _plain(weights: Mapping[str, TensorInfo]) -> nn.Module:
    mend_torchvision()
    from diffusers.models.embeddings import ImageProjection

    outputs, inputs = _shape(weights, "image_proj.proj.weight")
    width = _shape(weights, "image_proj.norm.weight")[0]
    return ImageProjection(image_embed_dim=inputs, cross_attention_dim=width, num_image_text_embeds=outputs // width)


def _plus(weights: Mapping[str, TensorInfo]) -> nn.Module:
    mend_torchvision()
    from diffusers.models.embeddings import IPAdapterPlusImageProjection

    _, queries, hidden = weights["image_proj.latents"].shape
    depth = len({name.split(".")[2] for name in weights if name.startswith("image_proj.layers.")})
    heads = _shape(weights, "image_proj.layers.0.0.to_q.weight")[0] // HEAD
    ratio = _shape(weights, "image_proj.layers.0.1.1.weight")[0] / hidden
    inputs, outputs = _shape(weights, "image_proj.proj_in.weight")[1], _shape(weights, "image_proj.proj_out.weight")[0]
    return IPAdapterPlusImageProjection(
        embed_dims=inputs, output_dims=outputs, hidden_dims=hidden, depth=depth, heads=heads, num_queries=queries, ffn_ratio=ratio
    )


def _shape(weights: Mapping[str, TensorInfo], name: str) -> tuple[int, ...]:
    return weights[name].shape


def _matrix(weights: Mapping[str, TensorInfo], number: int, letter: str) -> tuple[int, int]:
    outputs, inputs = _shape(weights, f"ip_adapter.{number}.to_{letter}_ip.weight")
    return outputs, inputs


def _arranged(numbers: Sequence[int], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Under the names of `IpNetwork`."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if place := LAYER.fullmatch(name):
            side = "keys" if place[2] == "k" else "values"
            found[f"{side}.{numbers.index(int(place[1]))}.weight"] = tensor
        elif name.startswith("image_proj."):
            found |= {f"projection.{new}": part for new, part in _projection(name.removeprefix("image_proj."), tensor)}
    return found


def _projection(name: str, tensor: Tensor) -> list[tuple[str, Tensor]]:
    if name.startswith("proj."):
        return [(name.replace("proj.", "image_embeds."), tensor)]
    found = re.fullmatch(r"layers\.(\d+)\.(.+)\.(weight|bias)", name)
    if found is None:
        return [(name, tensor)]
    if found[2] == "0.to_kv":
        halves = tensor.chunk(2)
        return [(f"layers.{found[1]}.attn.to_{letter}.weight", half) for letter, half in zip("kv", halves, strict=True)]
    return [(f"layers.{found[1]}.{INSIDE.get(found[2], found[2])}.{found[3]}", tensor)]
