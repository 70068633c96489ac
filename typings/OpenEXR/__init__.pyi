from collections.abc import Mapping
from typing import Any, overload

from numpy.typing import NDArray

scanlineimage: int

class Channel:
    pixels: NDArray[Any]

class File:
    @overload
    def __init__(self, filename: str, *, separate_channels: bool = ..., header_only: bool = ...) -> None: ...
    @overload
    def __init__(self, header: Mapping[str, object], channels: Mapping[str, NDArray[Any]]) -> None: ...
    def header(self) -> dict[str, Any]: ...
    def channels(self) -> dict[str, Channel]: ...
    def write(self, filename: str) -> None: ...
