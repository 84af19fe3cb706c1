from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.cluster.cluster_file import RESERVED_NAME, read_cluster, read_controller, write_cluster
from legion.cluster.device import ControllerSetting, Device
from legion.errors import InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.lists(TEXT.filter(lambda name: name != RESERVED_NAME), min_size=1, max_size=4, unique=True)
SETTINGS = st.builds(
    ControllerSetting,
    weight_cache=st.none() | TEXT.filter(lambda text: "\0" not in text).map(Path),
    bandwidth_bytes_per_s=st.none() | st.floats(1e-3, 1e12),
)


@given(NAMES, SETTINGS)
def test_what_is_written_is_read(names: list[str], setting: ControllerSetting) -> None:
    devices = tuple(Device(name=name, address=f"10.0.0.1:{7000 + index}") for index, name in enumerate(names))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.toml"
        write_cluster(path, devices, setting)
        assert read_cluster(path) == devices
        assert read_controller(path) == setting


def test_a_file_without_a_controller_asks_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text('[[devices]]\nname = "a"\naddress = "b:1"\n')
    assert read_controller(path) == ControllerSetting()
    path.write_text("[controller]\nbandwidth_bytes_per_s = 0\n" + path.read_text())
    with pytest.raises(InputError, match="bandwidth"):
        read_controller(path)
