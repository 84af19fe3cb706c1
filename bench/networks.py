"""The networks that benchmarks run: the zoo's, the onnx package's light ones re-seeded, a detector if it is there."""

from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx.backend.test

from legion.model import zoo
from legion.model.zoo.reseed import before_softmax, reseed

LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"
DETECTOR = Path(__file__).parents[2] / "shared" / "models" / "version-RFB-320.onnx"


def all_networks() -> Iterator[tuple[str, bytes]]:
    """Name and file content of each, at full size."""
    for name in zoo.NAMES:
        yield name, zoo.build(name).SerializeToString()
    for path in light_files():
        yield path.stem, light_network(path)
    if DETECTOR.exists():
        yield DETECTOR.stem, DETECTOR.read_bytes()


def light_files() -> list[Path]:
    """The topologies that the onnx package brings, with weights that are all alike."""
    return sorted(LIGHT.glob("light_*.onnx"))


def light_network(path: Path) -> bytes:
    """One of them with seeded fan-in-scaled weights, up to what its final Softmax reads.

    As shipped its outputs hardly depend on its input, and a Softmax would hide what differs.
    """
    return before_softmax(reseed(onnx.load(path))).SerializeToString()
