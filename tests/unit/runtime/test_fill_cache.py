from pathlib import Path

import numpy as np

from legion.geometry.local_graph import LocalConstant
from legion.model.constants import constant_digest
from legion.runtime import installation
from legion.runtime.installation import fill_cache
from legion.runtime.weights import WeightStore


def test_a_filled_cache_lacks_nothing(tmp_path: Path) -> None:
    shapes = [(3,), (0, 4), (), (installation.PIECE_BYTES // 4 + 5,)]
    arrays = [np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape) for shape in shapes]
    constants = {constant_digest(array): array for array in arrays}
    other = constant_digest(np.ones(7))
    store = WeightStore(tmp_path / "cache")
    for _ in range(2):
        fill_cache(store, {*constants, other}, constants)
        assert WeightStore(tmp_path / "cache").missing([*constants, other]) == (other,)
    for digest, array in constants.items():
        loaded = store.load(LocalConstant(name="w", shape=array.shape, dtype="float32", digest=digest))
        assert np.array_equal(loaded, array)
