"""Which input boxes an output box needs: of an operator, and of a layer."""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.geometry.box import Box
from legion.geometry.operators.rule import Rule
from legion.geometry.operators.table import bind
from legion.geometry.site import site_of
from legion.model.model import Model, Operator

Boxes = Mapping[str, Box]


@dataclass(frozen=True, slots=True)
class LayerDemand:
    """What a layer needs of its inputs, and what it computes of its outputs (mostly just what is wanted)."""

    inputs: Boxes
    outputs: Boxes


@dataclass(frozen=True, slots=True)
class _Step:
    """An operator of a layer: its rule, what it yields, and the activations that it reads by position."""

    rule: Rule
    outputs: tuple[str, ...]
    activations: tuple[tuple[int, str], ...]


class Demand:
    """The demand of a model's operators and layers. Rules are bound once, answers for layers are kept."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._rules: dict[str, Rule] = {}
        self._steps: dict[int, tuple[_Step, ...]] = {}
        self._answers: dict[tuple[int, tuple[Box | None, ...]], LayerDemand] = {}

    def rule(self, operator: Operator) -> Rule:
        """The rule of one of the model's operators."""
        rule = self._rules.get(operator.name)
        if rule is None:
            rule = self._rules[operator.name] = bind(site_of(self.model, operator))
        return rule

    def layer(self, layer_index: int, boxes: Boxes) -> Boxes:
        """The boxes that a layer needs of the activations it reads, to yield these boxes of its outputs.

        An activation of which nothing is needed is not in the answer.
        """
        return self.of_layer(layer_index, boxes).inputs

    def of_layer(self, layer_index: int, boxes: Boxes) -> LayerDemand:
        """As `layer`, with what is computed of the outputs."""
        layer = self.model.layers[layer_index]
        key = (layer_index, tuple(map(boxes.get, layer.outputs)))
        answer = self._answers.get(key)
        if answer is None:
            wanted = self.within(layer_index, boxes)
            answer = self._answers[key] = LayerDemand(
                inputs={name: wanted[name] for name in layer.inputs if name in wanted},
                outputs={name: wanted[name] for name in layer.outputs if name in wanted},
            )
        return answer

    def within(self, layer_index: int, boxes: Boxes) -> dict[str, Box]:
        """What is computed or needed of every tensor of a layer, those inside it too."""
        wanted = dict(boxes)
        for step in reversed(self._steps_of(layer_index)):
            yielded = [name for name in step.outputs if name in wanted]
            if not yielded:
                continue
            box = step.rule.computed(wanted[yielded[0]])
            if len(step.outputs) == 1:
                wanted[yielded[0]] = box
            else:  # such operators yield all of each output
                wanted.update((name, Box.whole(self.model.tensors[name].shape)) for name in yielded)
            demanded = step.rule.demand(box)
            for position, name in step.activations:
                need = demanded[position]
                if need is not None:
                    known = wanted.get(name)
                    wanted[name] = need if known is None or known == need else known.hull(need)
        return wanted

    def _steps_of(self, layer_index: int) -> tuple[_Step, ...]:
        steps = self._steps.get(layer_index)
        if steps is None:
            operators = self.model.layers[layer_index].operators
            steps = self._steps[layer_index] = tuple(map(self._step, operators))
        return steps

    def _step(self, operator: Operator) -> _Step:
        activations = (
            (position, name)
            for position, name in enumerate(operator.inputs)
            if name and name not in self.model.constants
        )
        return _Step(rule=self.rule(operator), outputs=operator.outputs, activations=tuple(activations))
