"""A folder of entries: what was put in comes out or nothing does, nothing raises, and there are never too many."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.model.model import Array
from legion.session.entries import Entries, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    values: Array


def words(folder: Path, most: int = 10) -> Entries[Word]:
    return Entries(folder / "words", Word, most)


def test_what_was_put_comes_out(tmp_path: Path) -> None:
    assert words(tmp_path).get("a") is None
    for text in ("one", "two"):
        words(tmp_path).put("a", Word(text=text))
        assert words(tmp_path).get("a") == Word(text=text)
    assert words(tmp_path).get("b") is None
    assert [path.name for path in (tmp_path / "words").iterdir()] == ["a"]


@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_arrays_keep_shape_type_and_every_value(tmp_path: Path, dtype: str) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(dtype).T
    Entries(tmp_path, Numbers, 1).put("a", Numbers(values=values))
    kept = Entries(tmp_path, Numbers, 1).get("a")
    assert kept is not None
    assert kept.values.dtype == values.dtype
    assert np.array_equal(kept.values, values)


@given(place=st.integers(0, 10_000), change=st.integers(1, 255), cut=st.booleans())
def test_damage_is_noticed_wherever_it_is(tmp_path_factory: pytest.TempPathFactory, place, change, cut) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    words(folder).put("a", Word(text="a text that is long enough"))
    path = folder / "words" / "a"
    content = bytearray(path.read_bytes())
    place %= len(content)
    content[place] ^= change
    path.write_bytes(content[:place] if cut else content)
    assert words(folder).get("a") is None


@pytest.mark.parametrize("foreign", [b"", b"my shopping list"])
def test_what_is_foreign_is_logged_and_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture, foreign) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a").write_bytes(foreign)
    assert words(tmp_path).get("a") is None
    assert "cannot be used" in caplog.text
    words(tmp_path).put("a", Word(text="mine"))
    assert words(tmp_path).get("a") == Word(text="mine")


def test_an_entry_of_another_type_is_none(tmp_path: Path) -> None:
    Entries(tmp_path / "words", Numbers, 1).put("a", Numbers(values=np.zeros(1)))
    assert words(tmp_path).get("a") is None


def test_the_newest_stay(tmp_path: Path) -> None:
    for number in range(5):
        words(tmp_path, most=3).put(str(number), Word(text="x"))
        os.utime(tmp_path / "words" / str(number), (number, number))
    assert sorted(path.name for path in (tmp_path / "words").iterdir()) == ["2", "3", "4"]


def test_a_folder_that_cannot_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "words").write_text("a file in the way")
    words(tmp_path).put("a", Word(text="lost"))
    assert "cannot be kept" in caplog.text
    assert words(tmp_path).get("a") is None


def test_keys_tell_everything_apart() -> None:
    parts: list[tuple[object, ...]] = [(), ("",), ("", ""), ("ab",), ("a", "b"), (1,), (1.0,), (None,), ({"a": 1},)]
    assert len({key_of(*each) for each in parts}) == len(parts)
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of(float("inf")) != key_of(None)
