"""Networks for tests: the zoo's, small, each imported once."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from legion.engine.whole_model import WholeModel
from legion.model import zoo
from legion.model.model import Array, Model
from legion.model.normalization import NORMALIZATIONS
from legion.model.onnx_import import load_model, prepare_model
from legion.session.feeds import sample_feeds

SIZE = 96
WIDTH = 0.25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """A model, its file's bytes, feeds, and what ONNX Runtime answers on the whole; equal to itself alone."""

    model: Model
    content: bytes
    feeds: dict[str, Array]
    expected: dict[str, Array]

    def error(self, outputs: dict[str, Array]) -> float:
        """The largest difference from what is expected, relative to the output's largest value."""
        return max(
            float(np.max(np.abs(outputs[name] - value))) / float(np.max(np.abs(value)))
            for name, value in self.expected.items()
        )


@cache
def small(name: str) -> Network:
    """A network of the zoo at a quarter of its width, on a small image."""
    return network_of(zoo.build(name, SIZE, width=WIDTH).SerializeToString())


@cache
def prepared(name: str) -> Network:
    """The same, made to take the bytes of images."""
    return network_of(prepare_model(small(name).content, NORMALIZATIONS["imagenet"]))


def network_of(content: bytes) -> Network:
    """Any ONNX file's bytes as a network for tests."""
    model = load_model(content)
    feeds = sample_feeds(model)
    return Network(model=model, content=content, feeds=feeds, expected=WholeModel(content).run(feeds))
