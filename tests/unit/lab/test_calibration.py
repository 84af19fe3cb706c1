from math import prod

from legion.lab import calibration
from legion.lab.calibration import convolutions_here_s


def test_the_measure_is_vgg16s_convolutions() -> None:
    graph = calibration._convolutions()
    assert sum(operator.op_type == "Conv" for operator in graph.operators) == 13
    assert sum(prod(constant.shape) for constant in graph.constants) == 14_710_464


def test_it_runs_here() -> None:
    assert convolutions_here_s() > 0
