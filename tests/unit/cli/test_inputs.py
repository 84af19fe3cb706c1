from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from legion.cli.inputs import Normalization, read_feeds
from legion.errors import InputError
from support.networks import prepared, small

MODEL = small("resnet18").model


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "image.png"
    Image.new("RGB", (30, 50), (255, 51, 0)).save(path)
    return str(path)


@pytest.mark.parametrize("prefix", ["", "input="])
def test_an_image_is_resized_and_normalised_as_stated(image: str, prefix: str) -> None:
    unit = np.array([1.0, 0.2, 0.0], np.float32)
    expected = {
        Normalization.BYTES: unit * 255,
        Normalization.UNIT: unit,
        Normalization.IMAGENET: (unit - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225]),
        Normalization.SIGNED: unit * 2 - 1,
    }
    for normalization, values in expected.items():
        feed = read_feeds(MODEL, [prefix + image], normalization)["input"]
        assert feed.shape == (1, 3, 96, 96)
        assert feed.dtype == np.float32
        np.testing.assert_allclose(feed[0, :, 40, 40], values, rtol=1e-6)


def test_a_photograph_is_fed_the_right_way_up(tmp_path: Path) -> None:
    """Of one that was taken with the camera on its side the file has the top at the left."""
    sideways = Image.new("RGB", (60, 40))
    sideways.paste((255, 255, 255), (0, 0, 30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(tmp_path / "photo.png", exif=exif)
    feed = read_feeds(MODEL, [str(tmp_path / "photo.png")], Normalization.BYTES)["input"]
    assert feed[0, 0, [8, 88], 48].tolist() == [255, 0]
    assert feed[0, 0, 8, [8, 88]].tolist() == [255, 255]


@pytest.mark.parametrize("normalization", Normalization)
def test_a_prepared_model_is_fed_the_bytes_of_an_image(image: str, normalization: Normalization) -> None:
    feed = read_feeds(prepared("resnet18").model, [image], normalization)["input"]
    assert feed.dtype == np.uint8
    assert feed.shape == (1, 3, 96, 96)
    assert feed[0, :, 40, 40].tolist() == [255, 51, 0]


def test_arrays_are_fed_as_they_are(tmp_path: Path) -> None:
    array = np.zeros((2, 2), np.int64)
    np.save(tmp_path / "one.npy", array)
    np.savez(tmp_path / "many.npz", input=array, other=array)
    assert read_feeds(MODEL, [str(tmp_path / "one.npy")], Normalization.UNIT)["input"].dtype == np.int64
    assert set(read_feeds(MODEL, [str(tmp_path / "many.npz")], Normalization.UNIT)) == {"input", "other"}


def test_without_files_seeded_numbers_are_fed() -> None:
    first, second = (read_feeds(MODEL, [], Normalization.UNIT)["input"] for _ in range(2))
    assert np.array_equal(first, second)
    assert 0.9 < first.std() < 1.1


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.png", b"no image", "not an image"),
        ("a.npy", b"no array", "cannot be read as a NumPy file"),
        ("a.npy", b"", "cannot be read as a NumPy file"),
        ("a.npz", b"PK\x03\x04 no archive", "cannot be read as a NumPy file"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        read_feeds(MODEL, [str(tmp_path / name)], Normalization.UNIT)


def test_missing_files_and_unknown_inputs_are_named(tmp_path: Path, image: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_feeds(MODEL, [str(tmp_path / "none.png")], Normalization.UNIT)
    with pytest.raises(InputError, match="which input"):
        read_feeds(MODEL, [f"wrong={image}"], Normalization.UNIT)


def test_a_damaged_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, input=np.arange(10_000, dtype=np.float32))
    content = bytearray(path.read_bytes())
    content[100:120] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a NumPy file"):
        read_feeds(MODEL, [str(path)], Normalization.UNIT)


def test_an_image_of_too_many_pixels_is_said(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(InputError, match="more pixels"):
        read_feeds(MODEL, [image], Normalization.UNIT)


def test_a_name_is_what_is_before_the_first_sign_unless_all_of_it_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rate=1.npy"
    np.save(path, np.zeros((2, 2), np.int64))
    for text in (str(path), f"input={path}"):
        assert read_feeds(MODEL, [text], Normalization.UNIT)["input"].shape == (2, 2)


def test_a_name_before_arrays_that_have_names_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "many.npz", input=np.zeros(2))
    with pytest.raises(InputError, match="without wrong="):
        read_feeds(MODEL, [f"wrong={tmp_path / 'many.npz'}"], Normalization.UNIT)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as a NumPy file"):
        read_feeds(MODEL, [str(tmp_path / "object.npy")], Normalization.UNIT)
