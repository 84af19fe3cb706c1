"""The latency of many plans at once: the simulator's rules, layer by layer instead of event by event, in C.

What they leave out is the order of events where messages compete for a port: these are taken reader by reader. And of
a first group in parts they say that all can be sent when the last part is done. So this ranks plans, and the simulator
has the last word on the best of them.
"""

from collections.abc import Iterable, Mapping
from ctypes import CDLL, POINTER, Structure, byref, c_bool, c_int64, c_void_p
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from legion.cost.tables import Array, Places, Tables
from legion.errors import InternalError
from legion.search.row_plans import RowPlans

_COUNTS = ("devices", "layers", "sources")

_ARRAYS: Mapping[str, type[np.generic]] = {
    "extents": np.int64,
    "bytes_per_unit": np.float64,
    "first_place": np.int64,
    "seconds": np.float64,
    "saved_s": np.float64,
    "first_edge": np.int64,
    "edge_source": np.int64,
    "edge_place": np.int64,
    "edge_low": np.int64,
    "edge_high": np.int64,
    "first_reader": np.int64,
    "reader": np.int64,
    "reader_edge": np.int64,
    "is_output": np.bool_,
    "call_s": np.float64,
    "message_s": np.float64,
    "copy_s_per_byte": np.float64,
    "latency_s": np.float64,
    "seconds_per_byte": np.float64,
}


class _FlatTables(Structure):
    """`tables_t` of `evaluate.c`, where its members are described."""

    _fields_ = (*((name, c_int64) for name in _COUNTS), *((name, c_void_p) for name in _ARRAYS))


def _array(dtype: type[np.generic]) -> Any:
    return np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS")


_latencies = CDLL(str(Path(__file__).with_name("libevaluate.so"))).latencies
_latencies.argtypes = (
    POINTER(_FlatTables),
    c_int64,
    *map(_array, (np.bool_, np.int64, np.bool_, np.int64, np.float64)),
)
_latencies.restype = c_bool


class Evaluator:
    """Prices plans of one network on some devices."""

    def __init__(self, tables: Tables) -> None:
        flat = _flat(tables)
        self._cuts = (tables.layers, len(tables.devices) + 1)
        self._held = {name: np.ascontiguousarray(flat[name], dtype) for name, dtype in _ARRAYS.items()}
        self._tables = _FlatTables(len(tables.devices), tables.layers, len(tables.extents))
        for name, array in self._held.items():
            setattr(self._tables, name, array.ctypes.data)

    def latencies_s(self, plans: RowPlans) -> Array:
        """Seconds from the first input's byte to the last output's, of each plan.

        Raises MemoryError where there is too little of it to price one.
        """
        if plans.cuts.shape[1:] != self._cuts:
            raise InternalError(f"plans of {plans.cuts.shape[1:]} cuts are priced as if they had {self._cuts}")
        latencies_s = np.empty(len(plans))
        arrays = (np.ascontiguousarray(array) for array in (plans.starts, plans.cuts, plans.borders, plans.parts))
        if not _latencies(byref(self._tables), len(plans), *arrays, latencies_s):
            raise MemoryError(f"too little memory to price a plan of {self._cuts} cuts")
        return latencies_s


def _flat(tables: Tables) -> dict[str, NDArray[Any]]:
    """The arrays by the names of `tables_t`."""
    edges = [edge for of_layer in tables.edges for edge in of_layer]
    readers = [layer for layer, of_layer in enumerate(tables.edges) for _ in of_layer]
    sources = np.array([edge.source for edge in edges])
    by_source = np.argsort(sources, kind="stable")
    return {
        "extents": tables.extents,
        "bytes_per_unit": tables.bytes_per_unit,
        "first_place": _firsts(seconds.shape[1] for seconds in tables.seconds),
        "seconds": np.concatenate(tables.seconds, axis=1).T,
        "saved_s": np.concatenate(tables.saved_s, axis=1).T,
        "first_edge": _firsts(map(len, tables.edges)),
        "edge_source": sources,
        "edge_place": _firsts(len(edge.low) for edge in edges),
        "edge_low": np.concatenate([edge.low for edge in edges]),
        "edge_high": np.concatenate([edge.high for edge in edges]),
        "first_reader": _firsts(np.bincount(sources, minlength=len(tables.extents)).tolist()),
        "reader": np.array(readers)[by_source],
        "reader_edge": by_source,
        "is_output": tables.is_output,
        "call_s": tables.call_s,
        "message_s": tables.message_s,
        "copy_s_per_byte": tables.copy_s_per_byte,
        "latency_s": tables.latency_s,
        "seconds_per_byte": tables.seconds_per_byte,
    }


def _firsts(lengths: Iterable[int]) -> Places:
    """Where each of several stretches begins that lie one after another, and where the last ends."""
    return np.array([0, *accumulate(lengths)])
