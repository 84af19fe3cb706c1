"""How fast a core of this machine is, by the same measure as a preset's board."""

import time
from statistics import median

from legion.engine.constants import synthetic_constant
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.geometry.local_graph import LocalConstant, LocalGraph, LocalInput
from legion.model.model import Operator

_EXTENT = 224
_INPUT_CHANNELS = 3
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Output channels of VGG-16's convolutions; a pool stands between stages."""

_ROUNDS = 20
"""One run is off by up to a third where the machine's other guests are busy, the median of 20 by about 4 %."""


def convolutions_here_s() -> float:
    """Processor seconds that VGG-16's 13 convolutions take on one core of this machine, in 3 to 8 seconds.

    Processor time and not elapsed time, since that is what a speed is a fraction of; so other load does not count.
    """
    executable = OnnxRuntimeEngine(threads=1).prepare(_convolutions(), synthetic_constant)
    shape = (1, _INPUT_CHANNELS, _EXTENT, _EXTENT)
    inputs = [synthetic_constant(LocalConstant(name="image", shape=shape, dtype="float32", digest=None))]
    seconds: list[float] = []
    for _ in range(1 + _ROUNDS):
        start_s = time.thread_time()
        executable.run(inputs)
        seconds.append(time.thread_time() - start_s)
    return median(seconds[1:])


def _convolutions() -> LocalGraph:
    """VGG-16 without its last pool and its dense layers."""
    operators: list[Operator] = []
    constants: list[LocalConstant] = []
    tensor, channels = "image", _INPUT_CHANNELS
    for stage, outputs in enumerate(_STAGES):
        if stage:
            operators.append(_operator("MaxPool", f"pool{stage}", (tensor,), kernel_shape=(2, 2), strides=(2, 2)))
            tensor = f"pool{stage}"
        for place, output_channels in enumerate(outputs):
            name = f"conv{stage}_{place}"
            shape = (output_channels, channels, 3, 3)
            constants.append(LocalConstant(name=f"{name}/weights", shape=shape, dtype="float32", digest=None))
            operators.append(_operator("Conv", name, (tensor, f"{name}/weights"), pads=(1, 1, 1, 1)))
            operators.append(_operator("Relu", f"{name}/relu", (name,)))
            tensor, channels = f"{name}/relu", output_channels
    return LocalGraph(
        opset=18,
        operators=tuple(operators),
        inputs=(LocalInput(name="image", dtype="float32", dims=(1, _INPUT_CHANNELS, _EXTENT, _EXTENT)),),
        outputs=(tensor,),
        constants=tuple(constants),
    )


def _operator(kind: str, name: str, inputs: tuple[str, ...], **attributes: tuple[int, ...]) -> Operator:
    return Operator(name=name, op_type=kind, inputs=inputs, outputs=(name,), attributes=attributes)
