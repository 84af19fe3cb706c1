"""Some consecutive layers of a model as a model of their own."""

from hashlib import blake2b

from legion.model.model import Model, Port


def part_of(model: Model, first: int, end: int) -> Model:
    """Layers `[first, end)`: what they read from outside are the inputs, what others or the caller read the outputs.

    Tensors, boxes and constants keep their names; ports have the types that the model computes in. All layers together
    are the model itself.
    """
    if (first, end) == (0, len(model.layers)):
        return model
    layers = model.layers[first:end]
    made = {tensor for layer in layers for tensor in layer.outputs}
    read = dict.fromkeys(tensor for layer in layers for tensor in layer.inputs)
    wanted = {port.name for port in model.outputs}
    wanted |= {tensor for layer in (*model.layers[:first], *model.layers[end:]) for tensor in layer.inputs}
    names = {tensor for layer in layers for operator in layer.operators for tensor in operator.inputs}
    names |= made | {tensor for layer in layers for operator in layer.operators for tensor in operator.outputs}
    return Model(
        name=f"{model.name}[{first}:{end}]",
        opset=model.opset,
        layers=layers,
        tensors={name: kind for name, kind in model.tensors.items() if name in names},
        constants={name: values for name, values in model.constants.items() if name in names},
        inputs=tuple(_port(model, tensor) for tensor in read if tensor not in made),
        outputs=tuple(_port(model, tensor) for layer in layers for tensor in layer.outputs if tensor in wanted),
        digest=blake2b(f"{model.digest}[{first}:{end}]".encode(), digest_size=16).hexdigest(),
    )


def _port(model: Model, tensor: str) -> Port:
    kind = model.tensors[tensor]
    return Port(name=tensor, type=kind, dims=kind.shape)
