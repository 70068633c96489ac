"""What of spandrel 0.4.2 is used here."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, Literal, Self, TypeVar

from torch import Tensor, device, dtype, nn

Network = TypeVar("Network", bound=nn.Module, covariant=True)

class SizeRequirements:
    minimum: int
    multiple_of: int
    square: bool
    def __init__(self, minimum: int = 0, multiple_of: int = 1, square: bool = False) -> None: ...

class ModelTiling(Enum):
    SUPPORTED = 1
    DISCOURAGED = 2
    INTERNAL = 3

class _Described(Generic[Network]):
    tags: list[str]
    supports_half: bool
    supports_bfloat16: bool
    scale: int
    input_channels: int
    output_channels: int
    size_requirements: SizeRequirements
    tiling: ModelTiling
    @property
    def model(self) -> Network: ...
    @property
    def architecture(self) -> Architecture[Network]: ...
    @property
    def purpose(self) -> Literal["SR", "FaceSR", "Inpainting", "Restoration"]: ...
    def to(self, device: device | str | None = None, dtype: dtype | None = None) -> Self: ...
    def eval(self) -> Self: ...

class ImageModelDescriptor(_Described[Network]):
    def __init__(
        self,
        model: Network,
        state_dict: dict[str, Any],
        architecture: Architecture[Network],
        purpose: Literal["SR", "FaceSR", "Restoration"],
        tags: list[str],
        supports_half: bool,
        supports_bfloat16: bool,
        scale: int,
        input_channels: int,
        output_channels: int,
        size_requirements: SizeRequirements | None = None,
        tiling: ModelTiling = ...,
        call_fn: Callable[[Any, Tensor], Tensor] | None = None,
    ) -> None: ...
    def __call__(self, image: Tensor) -> Tensor: ...

class MaskedImageModelDescriptor(_Described[Network]): ...

class Architecture(Generic[Network]):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    def load(self, state_dict: dict[str, Tensor]) -> ImageModelDescriptor[Network] | MaskedImageModelDescriptor[Network]: ...

class ArchSupport:
    architecture: Architecture[nn.Module]
    def detect(self, state_dict: dict[str, Tensor]) -> bool: ...

class ArchRegistry:
    def __getitem__(self, id: str) -> ArchSupport: ...
    def architectures(self, order: Literal["insertion", "detection"] = "insertion") -> list[ArchSupport]: ...

class ModelLoader:
    def load_from_file(self, path: Any) -> ImageModelDescriptor[nn.Module] | MaskedImageModelDescriptor[nn.Module]: ...
    def load_from_state_dict(
        self, state_dict: dict[str, Tensor]
    ) -> ImageModelDescriptor[nn.Module] | MaskedImageModelDescriptor[nn.Module]: ...

MAIN_REGISTRY: ArchRegistry
