"""What is written in C, and the tables and plans that it takes."""

from collections.abc import Iterable, Mapping
from ctypes import CDLL, POINTER, Structure, c_bool, c_int64, c_void_p
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from legion.cost.tables import Places, Tables
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
    "is_fed": np.bool_,
    "call_s": np.float64,
    "message_s": np.float64,
    "assembling_s": np.float64,
    "copy_s_per_byte": np.float64,
    "latency_s": np.float64,
    "seconds_per_byte": np.float64,
    "burst_s": np.float64,
    "outward_fraction": np.float64,
    "inward_fraction": np.float64,
    "constant_bytes": np.float64,
    "splits_constants": np.bool_,
    "memory_bytes": np.float64,
    "speeds": np.float64,
}

_PLAN_ARRAYS: Mapping[str, type[np.generic]] = {
    "starts": np.bool_,
    "cuts": np.int64,
    "borders": np.bool_,
    "parts": np.int64,
}


class _Tables(Structure):
    """`tables_t` of `search.h`, where its members are described."""

    _fields_ = (*((name, c_int64) for name in _COUNTS), *((name, c_void_p) for name in _ARRAYS))


class _Plans(Structure):
    """`plans_t` of `search.h`."""

    _fields_ = tuple((name, c_void_p) for name in _PLAN_ARRAYS)


def _loaded(path: Path) -> CDLL:
    try:
        return CDLL(str(path))
    except OSError as error:
        raise ImportError(f"{path.name} cannot be loaded ({error}); install Legion again, which compiles it") from error


library = _loaded(Path(__file__).with_name("libsearch.so"))
library.latencies.argtypes = (POINTER(_Tables), c_int64, _Plans, c_void_p)
library.latencies.restype = c_bool
library.descend.argtypes = (POINTER(_Tables), c_void_p, c_bool, c_int64, _Plans, c_int64, _Plans)
library.descend.restype = None


class NativeTables(_Tables):
    """The tables of one network on some devices."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(len(tables.devices), tables.layers, len(tables.extents))
        flat = _flat(tables)
        self._held = [np.ascontiguousarray(flat[name], dtype) for name, dtype in _ARRAYS.items()]
        for name, array in zip(_ARRAYS, self._held, strict=True):
            setattr(self, name, array.ctypes.data)

    def native(self, plans: RowPlans) -> _Plans:
        """The plans where they lie, for as long as they do.

        Raises InternalError for plans of other layers or devices, and for arrays that are not in one piece.
        """
        count, layers, row = len(plans), self.layers, self.devices + 1
        shapes = (count, layers), (count, layers, row), (count, layers), (count,)
        arrays = (plans.starts, plans.cuts, plans.borders, plans.parts)
        for array, shape, dtype in zip(arrays, shapes, _PLAN_ARRAYS.values(), strict=True):
            if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
                raise InternalError(f"plans hold {array.shape} {array.dtype}; {shape} in one piece is meant")
        return _Plans(*(array.ctypes.data for array in arrays))


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
        "is_fed": tables.is_fed,
        "call_s": tables.call_s,
        "message_s": tables.message_s,
        "assembling_s": tables.assembling_s,
        "copy_s_per_byte": tables.copy_s_per_byte,
        "latency_s": tables.latency_s,
        "seconds_per_byte": tables.seconds_per_byte,
        "burst_s": tables.burst_s,
        "outward_fraction": tables.outward_fraction,
        "inward_fraction": tables.inward_fraction,
        "constant_bytes": tables.constant_bytes,
        "splits_constants": tables.splits_constants,
        "memory_bytes": tables.memory_bytes,
        "speeds": tables.speeds / tables.speeds.sum(),
    }


def _firsts(lengths: Iterable[int]) -> Places:
    """Where each of several stretches begins that lie one after another, and where the last ends."""
    return np.array([0, *accumulate(lengths)])
