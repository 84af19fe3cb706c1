"""The table of rules, by operator type."""

from collections.abc import Callable, Mapping
from math import prod

from legion.geometry.operators.blocks import DepthToSpace, SpaceToDepth
from legion.geometry.operators.convolution import Convolution
from legion.geometry.operators.elementwise import BROADCASTING, UNARY, Elementwise, PerChannel, quantisation_rule
from legion.geometry.operators.gathering import Gather
from legion.geometry.operators.joining import Concat
from legion.geometry.operators.linear import Gemm, MatMul
from legion.geometry.operators.normalisation import (
    InstanceNormalization,
    LayerNormalization,
    LocalResponseNormalization,
    along_axis,
    cumulative_sum,
    group_normalisation,
    mean_variance_normalisation,
)
from legion.geometry.operators.pooling import AveragePool, GlobalPool, Pool
from legion.geometry.operators.reduction import POSITIONS, REDUCTIONS, position_rule, reduction_rule
from legion.geometry.operators.reshaping import Reshape, Transpose
from legion.geometry.operators.resizing import resize_rule
from legion.geometry.operators.rule import Rule, Whole
from legion.geometry.operators.slicing import Expand, pad_rule, slice_rule
from legion.geometry.operators.transposed_convolution import TransposedConvolution
from legion.geometry.site import Site

RULES: Mapping[str, Callable[[Site], Rule]] = {
    **dict.fromkeys(UNARY, Elementwise),
    **dict.fromkeys(BROADCASTING, Elementwise),
    **dict.fromkeys(REDUCTIONS, reduction_rule),
    **dict.fromkeys(POSITIONS, position_rule),
    "AveragePool": AveragePool,
    "BatchNormalization": lambda site: PerChannel(site, 1),
    "Concat": Concat,
    "Conv": Convolution,
    "ConvTranspose": TransposedConvolution,
    "CumSum": cumulative_sum,
    "DepthToSpace": DepthToSpace,
    "DequantizeLinear": quantisation_rule,
    "Expand": Expand,
    "Flatten": Reshape,
    "Gather": Gather,
    "Gemm": Gemm,
    "GlobalAveragePool": GlobalPool,
    "GlobalLpPool": GlobalPool,
    "GlobalMaxPool": GlobalPool,
    "GroupNormalization": group_normalisation,
    "Hardmax": along_axis,
    "InstanceNormalization": InstanceNormalization,
    "LRN": LocalResponseNormalization,
    "LayerNormalization": LayerNormalization,
    "LogSoftmax": along_axis,
    "LpNormalization": along_axis,
    "LpPool": Pool,
    "MatMul": MatMul,
    "MaxPool": Pool,
    "MeanVarianceNormalization": mean_variance_normalisation,
    "Pad": pad_rule,
    "QuantizeLinear": quantisation_rule,
    "RMSNormalization": LayerNormalization,
    "Reshape": Reshape,
    "Resize": resize_rule,
    "Slice": slice_rule,
    "Softmax": along_axis,
    "SpaceToDepth": SpaceToDepth,
    "Squeeze": Reshape,
    "Transpose": Transpose,
    "Unsqueeze": Reshape,
}


def bind(site: Site) -> Rule:
    """The rule for this operator.

    What has no rule, several outputs, a shape that depends on data, or no elements, is computed whole.
    """
    rule = RULES.get(site.operator.op_type, Whole)
    if site.dynamic or len(site.operator.outputs) > 1 or prod(site.output.shape) == 0:
        return Whole(site)
    return rule(site)
