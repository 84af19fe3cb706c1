"""Whole networks compute the same after import: the zoo, those of the onnx package, a detector with real weights."""

from pathlib import Path

import onnx
import pytest
from model_building import assert_import_keeps, operator_types

from legion.model import zoo

_LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
_DETECTOR = Path(__file__).parents[4] / "shared" / "models" / "version-RFB-320.onnx"
_LAYER_COUNTS = {"vgg16": 21, "vgg19": 24, "yolov2": 30, "resnet18": 31, "resnet50": 72, "mobilenetv2": 64}


@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_zoo(name: str) -> None:
    model = assert_import_keeps(zoo.build(name, 64, width=0.125))
    assert len(model.layers) == _LAYER_COUNTS[name]
    assert not any("BatchNormalization" in types for types in operator_types(model))


@pytest.mark.parametrize(
    "name", ["densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet"]
)
def test_light_networks(name: str) -> None:
    """Those with large Gemms are left out for their size; VGG-19 is in the zoo."""
    file = onnx.load(_LIGHT / f"light_{name}.onnx")
    model = assert_import_keeps(zoo.before_softmax(zoo.reseed(file)))
    assert len(model.inputs) == len(model.outputs) == 1


@pytest.mark.skipif(not _DETECTOR.exists(), reason="the detector lies outside the repository")
def test_a_detector_with_real_weights() -> None:
    model = assert_import_keeps(onnx.load(_DETECTOR))
    assert [port.name for port in model.outputs] == ["scores", "boxes"]
    assert not {"Shape", "Gather", "Constant"} & {op_type for types in operator_types(model) for op_type in types}
