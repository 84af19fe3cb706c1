from pathlib import Path

import pytest

from legion.cluster.cluster_file import read_cluster
from legion.cluster.device import Device
from legion.errors import InputError

GOOD = '[[devices]]\nname = "a"\naddress = "127.0.0.1:7700"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    return path


def test_devices_keep_their_order(tmp_path: Path) -> None:
    second = GOOD.replace('"a"', '"b"').replace("7700", "7701")
    assert read_cluster(written(tmp_path, second + GOOD)) == (
        Device(name="b", address="127.0.0.1:7701"),
        Device(name="a", address="127.0.0.1:7700"),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("devices = 3", "array"),
        ("[[devices]\n", "not valid TOML"),
        (GOOD + "colour = 1\n", "colour"),
        ("[[devices]]\nname = 'a'\n", "address"),
        ("devices = []", "names no device"),
        (GOOD + GOOD.replace("7700", "7701"), "name 'a' occurs twice"),
        (GOOD + GOOD.replace('"a"', '"b"'), "address '127.0.0.1:7700' occurs twice"),
        (GOOD.replace("127.0.0.1:7700", "127.0.0.1"), "not host:port"),
        (GOOD.replace("7700", "77000"), "not host:port"),
        (GOOD.replace('"a"', '"controller"'), "cannot be named"),
    ],
)
def test_flaws_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_cluster(written(tmp_path, text))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_cluster(tmp_path / "none.toml")
