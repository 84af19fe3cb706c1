"""The steps from an ONNX file to a Model, in order."""

from collections.abc import Mapping

from legion.model.model import Model
from legion.model.onnx_import.accept import refuse_unsupported
from legion.model.onnx_import.batch_norm import fold_batch_normalizations
from legion.model.onnx_import.fold import fold_constants
from legion.model.onnx_import.graph import graph_of
from legion.model.onnx_import.half_precision import widen_array, widen_graph
from legion.model.onnx_import.parse import Source, parse
from legion.model.onnx_import.simplify import drop_unused, remove_identities, replace_dynamic_fills, replace_splits
from legion.model.onnx_import.sizes import fix_sizes
from legion.model.onnx_import.typed import declared_ports, model_of
from legion.model.onnx_import.versions import convert_opset, keep_old_sampling, opset_of


def load_model(source: Source, *, batch: int = 1, sizes: Mapping[str, int] | None = None) -> Model:
    """Import an ONNX model: checked, of fixed sizes, folded, simplified and grouped into layers.

    `source` is a path (external data is read from beside it), the bytes of a file, or a model, which stays
    as it was. `batch` replaces a symbolic batch; `sizes` gives other symbolic extents by name. Initializers
    that are also inputs count as constants. float16 is computed in float32: ports keep the declared dtype.

    Raises InputError, saying what to do, when the model is damaged, invalid, older than opset 7, leaves an
    extent open, or uses what Legion does not run (other domains, control flow, randomness, sequences).
    """
    proto, weights = parse(source)
    refuse_unsupported(proto)
    declared = declared_ports(proto, weights)
    fix_sizes(proto, declared.inputs, batch, sizes or {})
    opset = opset_of(proto)
    proto = convert_opset(proto)
    widen_graph(proto.graph)
    graph = graph_of(proto, {name: widen_array(values) for name, values in weights.items()}, opset_of(proto))
    fold_constants(graph)
    keep_old_sampling(graph, opset)
    drop_unused(graph)
    remove_identities(graph)
    replace_splits(graph)
    replace_dynamic_fills(graph)
    fold_batch_normalizations(graph)
    drop_unused(graph)
    return model_of(graph, declared)
