"""Well-known networks with their published topology and seeded weights."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import onnx

from legion.errors import InputError
from legion.model.zoo.mobilenetv2 import build_mobilenetv2
from legion.model.zoo.network import Network
from legion.model.zoo.reseed import before_softmax, reseed
from legion.model.zoo.resnet import build_resnet18, build_resnet50
from legion.model.zoo.vgg import build_vgg16, build_vgg19
from legion.model.zoo.yolov2 import build_yolov2

_BUILDERS: dict[str, tuple[Callable[[Network], str], int]] = {
    "vgg16": (build_vgg16, 224),
    "vgg19": (build_vgg19, 224),
    "yolov2": (build_yolov2, 416),
    "resnet18": (build_resnet18, 224),
    "resnet50": (build_resnet50, 224),
    "mobilenetv2": (build_mobilenetv2, 224),
}
_SIZE_STEP = 32

NAMES = tuple(_BUILDERS)

__all__ = ["NAMES", "before_softmax", "build", "reseed", "write"]


def build(name: str, size: int | None = None, seed: int = 0, width: float = 1.0) -> onnx.ModelProto:
    """A network of the zoo: input "input" (1, 3, size, size) and output "output", both float32.

    `size` is the height and width of the input in pixels, a multiple of 32; by default the published one.
    `width` scales the channels of hidden layers, for tests that need the topology and no more.
    The same arguments give the same weights.

    Raises InputError for an unknown name, and for a size or width that makes no network.
    """
    if name not in _BUILDERS:
        raise InputError(f"the zoo has no network {name!r}; it has {', '.join(NAMES)}")
    builder, published_size = _BUILDERS[name]
    size = published_size if size is None else size
    if size <= 0 or size % _SIZE_STEP:
        raise InputError(f"a size of {size} pixels does not suit {name}; choose a multiple of {_SIZE_STEP}")
    if not 0 < width <= 1:
        raise InputError(f"a width of {width} makes no network; choose one above 0 and up to 1")
    network = Network(name=name, size=size, width=width, seed=seed)
    return network.finish(builder(network))


def write(name: str, path: str | PathLike[str], size: int | None = None, seed: int = 0) -> None:
    """Write `build(name, ...)` to a file.

    Raises InputError as `build` does, and when the file cannot be written.
    """
    model = build(name, size, seed)
    try:
        Path(path).write_bytes(model.SerializeToString())
    except OSError as exc:
        raise InputError(f"cannot write {path}: {exc.strerror}; choose another path or free some space") from exc
