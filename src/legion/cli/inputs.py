"""What `legion run` feeds: images, .npy and .npz files, or seeded numbers."""

import zlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile
from PIL import Image, UnidentifiedImageError
from PIL.ImageOps import exif_transpose

from legion.errors import InputError
from legion.model.model import Array, Model, Port
from legion.model.normalization import NORMALIZATIONS
from legion.session.feeds import sample_feeds


class Normalization(StrEnum):
    """The names of `NORMALIZATIONS`: what becomes of an image's bytes."""

    IMAGENET = "imagenet"
    UNIT = "unit"
    SIGNED = "signed"
    BYTES = "bytes"


def read_feeds(model: Model, files: Sequence[str], normalization: Normalization) -> dict[str, Array]:
    """The feeds that the files hold; each is PATH, or NAME=PATH where the model has several inputs.

    An .npz holds arrays by input name. An image becomes (1, 3, rows, columns) of the input's size, the right way up.
    Without any file, seeded numbers are fed. Raises InputError for what cannot be read.
    """
    if not files:
        return _declared(model, sample_feeds(model))
    feeds: dict[str, Array] = {}
    for text in files:
        name, separator, path = text.partition("=")
        if not separator or Path(text).exists():
            name, path = "", text
        feeds |= _feeds_of(model, name, Path(path), normalization)
    return feeds


def image_feed(path: Path, port: Port, normalization: Normalization) -> Array:
    """An image resized (bilinear, not cropped) to the port's rows and columns, channels first, normalised.

    A port of uint8 takes the bytes as they are: its model normalises them.

    Raises InputError if the file is no image, or the port takes none.
    """
    shape = port.type.shape
    if len(shape) != 4 or shape[:2] != (1, 3):
        raise InputError(f"input {port.name!r} of shape {list(shape)} takes no image; feed an .npy file instead")
    try:
        with Image.open(path) as image:
            resized = exif_transpose(image).convert("RGB").resize((shape[3], shape[2]), Image.Resampling.BILINEAR)
    except UnidentifiedImageError as exc:
        raise InputError(f"{path} is not an image that can be read; images, .npy and .npz files can be fed") from exc
    except Image.DecompressionBombError as exc:
        raise InputError(f"{path} has more pixels than is sane ({exc}); feed a smaller image") from exc
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    pixels = np.asarray(resized).transpose(2, 0, 1)[None]
    if port.type.dtype != "uint8":
        chosen = NORMALIZATIONS[normalization]
        pixels = (pixels - _by_channel(chosen.mean)) / _by_channel(chosen.deviation)
    return np.ascontiguousarray(pixels, port.type.dtype)


def _feeds_of(model: Model, name: str, path: Path, normalization: Normalization) -> Mapping[str, Array]:
    if path.suffix not in {".npy", ".npz"}:
        port = _port(model, name, path)
        return {port.name: image_feed(path, port, normalization)}
    if name and path.suffix == ".npz":
        raise InputError(f"{path} holds arrays by input name: write {path} without {name}=")
    try:
        loaded: Array | NpzFile = np.load(path, allow_pickle=False)
        arrays = {key: loaded[key] for key in loaded.files} if isinstance(loaded, NpzFile) else {"": loaded}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as exc:
        raise InputError(f"{path} cannot be read as a NumPy file: {exc}") from exc
    return {key or _port(model, name, path).name: array for key, array in arrays.items()}


def _port(model: Model, name: str, path: Path) -> Port:
    ports = {port.name: port for port in model.inputs}
    if name in ports:
        return ports[name]
    if not name and len(ports) == 1:
        return model.inputs[0]
    raise InputError(f"which input is {path} for? Write NAME={path}; the model's inputs are {list(ports)}")


def _by_channel(values: tuple[float, ...]) -> Array:
    return np.array(values, np.float32)[:, None, None]


def _declared(model: Model, feeds: Mapping[str, Array]) -> dict[str, Array]:
    return {port.name: feeds[port.name].astype(port.type.dtype) for port in model.inputs}
