"""The weight store: whole and verified files, or none; a full disk hurts nobody but who asked."""

import errno
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.errors import InputError, PeerError
from legion.geometry.local_graph import LocalConstant
from legion.model.constants import constant_bytes, constant_digest
from legion.runtime.weights import WeightStore
from legion.wire.messages import PutWeight

ARRAY = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)


def constant(array: np.ndarray) -> LocalConstant:
    return LocalConstant(name="w", shape=array.shape, dtype=array.dtype.name, digest=constant_digest(array))


def put(store: WeightStore, array: np.ndarray, sizes: list[int], digest: str | None = None) -> None:
    content, offset = constant_bytes(array), 0
    for size in sizes:
        piece = PutWeight(
            request=1,
            digest=digest or constant_digest(array),
            dtype=array.dtype.name,
            shape=array.shape,
            offset=offset,
            total_bytes=array.nbytes,
        )
        store.put(piece, content[offset : offset + size])
        offset += size


def files(store: WeightStore) -> list[str]:
    return sorted(each.name for each in store.directory.iterdir()) if store.directory.exists() else []


@given(st.lists(st.integers(1, 139), unique=True), st.sampled_from(["float32", "int64", "bool", "float16"]))
def test_what_is_put_in_pieces_is_loaded_whole(tmp_path_factory: Any, cuts: list[int], dtype: str) -> None:
    array = ARRAY.astype(dtype)
    store = WeightStore(tmp_path_factory.mktemp("weights") / "deep")
    bounds = [0, *sorted(cut for cut in cuts if cut < array.nbytes), array.nbytes]
    digest = constant_digest(array)
    assert store.missing([digest]) == (digest,)
    put(store, array, [high - low for low, high in itertools.pairwise(bounds)])
    assert store.missing([digest]) == ()
    loaded = store.load(constant(array))
    assert loaded.dtype == array.dtype
    assert np.array_equal(loaded, array)
    assert files(store) == [digest]


@pytest.mark.parametrize("shape", [(0, 3), ()])
def test_no_elements_and_no_axes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    store, array = WeightStore(tmp_path), np.ones(shape, np.float32)
    put(store, array, [array.nbytes])
    assert np.array_equal(store.load(constant(array)), array)


def test_other_bytes_are_not_kept(tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    with pytest.raises(PeerError, match="are not those of constant"):
        put(store, ARRAY, [ARRAY.nbytes], digest=constant_digest(ARRAY + 1))
    assert files(store) == []


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    put(store, ARRAY, [10])
    put(store, ARRAY + 1, [10])
    store.drop_upload()
    assert files(store) == []


def test_a_disk_that_has_gone_is_told_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    store = WeightStore(tmp_path)
    put(store, ARRAY, [10])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        patch.setattr("legion.runtime.weights.tempfile.mkstemp", refuse)
        with pytest.raises(PeerError, match="Read-only file system"):
            put(store, ARRAY, [10])
        store.drop_upload()
    put(store, ARRAY, [ARRAY.nbytes])
    assert store.missing([constant_digest(ARRAY)]) == ()


def test_a_piece_out_of_order_is_refused(tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    put(store, ARRAY, [10])
    piece = PutWeight(
        request=1, digest=constant_digest(ARRAY), dtype="float32", shape=(5, 7), offset=20, total_bytes=ARRAY.nbytes
    )
    with pytest.raises(InputError, match="out of order"):
        store.put(piece, b"12345678")


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_told_with_the_numbers_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = WeightStore(tmp_path)
    with monkeypatch.context() as patched:
        if call == "fsync":
            patched.setattr("legion.runtime.weights.os.fsync", full)
        else:
            patched.setattr("legion.runtime.weights._Upload.add", full)
        with pytest.raises(PeerError, match=rf"{tmp_path} cannot take 0.00014 MB more \(No space left"):
            put(store, ARRAY, [ARRAY.nbytes])
        assert files(store) == []
    put(store, ARRAY, [ARRAY.nbytes])
    assert files(store) == [constant_digest(ARRAY)]


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PeerError, match="another directory"):
        put(WeightStore(tmp_path / "file"), ARRAY, [ARRAY.nbytes])


def test_values_that_are_missing_or_cut_short(tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    with pytest.raises(InputError, match="'w' are not stored"):
        store.load(constant(ARRAY))
    (tmp_path / constant_digest(ARRAY)).write_bytes(b"short")
    with pytest.raises(InputError, match="'w' are not stored"):
        store.load(constant(ARRAY))
    assert store.missing([constant_digest(ARRAY)]) == (constant_digest(ARRAY),)


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "0" * 31, "G" * 32])
def test_names_that_are_no_digests_reach_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(InputError, match="is no digest"):
        WeightStore(tmp_path).missing([digest])
