"""In which order tensors enter a port, and what waits for what, on a port that the test holds up."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from legion.runtime.sender import Outgoing, Sender
from legion.transport.base import Frame

SOON_S = 10.0
"""By when what must happen has, on however busy a machine."""

FILLS_S = 0.001


class HeldPort:
    """Lets a tensor out when the test says so, or when it is cancelled."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self._out: set[str] = set()
        self._changed = threading.Condition()

    def connect(self, peers: Mapping[str, str]) -> None:
        """All peers are there, but for one."""
        if "nowhere" in peers:
            raise OSError("there are too many open files")

    def send(self, peer: str, frames: Sequence[Frame], cancelled: Callable[[], bool]) -> bool:
        tensor = bytes(frames[1]).decode()
        if peer == "nowhere":
            raise OSError("its name is not known any more")
        with self._changed:
            self.entered.append(tensor)
            self._changed.notify_all()
            while tensor not in self._out:
                if cancelled():
                    return False
                self._changed.wait(0.01)
        return True

    def close(self) -> None:
        """Nothing is open."""

    def let_out(self, *tensors: str) -> None:
        with self._changed:
            self._out.update(tensors)
            self._changed.notify_all()

    def wait_for(self, *tensors: str) -> None:
        """Wait until these have entered, and see that no others did."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.entered) >= len(tensors), SOON_S)
            assert self.entered == list(tensors)


@pytest.fixture
def port() -> HeldPort:
    return HeldPort()


@pytest.fixture
def sender(port: HeldPort):
    made = Sender(port, time.perf_counter)
    yield made
    made.close()


def send(sender: Sender, peer: str, tensor: str, fills_s: float | None, sent: list[str] | None = None) -> None:
    sender.send(
        Outgoing(
            peer=peer,
            frames=(b"", tensor.encode()),
            cancelled=lambda: False,
            sent=lambda *_: None if sent is None else sent.append(tensor),
            failed=lambda error: None if sent is None else sent.append(str(error)),
            due_s=0.0,
            fills_s=fills_s,
        )
    )


def test_a_tensor_has_left_before_the_next_enters(sender: Sender, port: HeldPort) -> None:
    send(sender, "a", "1", None)
    send(sender, "b", "2", None)
    port.wait_for("1")
    time.sleep(10 * FILLS_S)
    port.wait_for("1")
    port.let_out("1")
    port.wait_for("1", "2")


def test_a_faster_port_takes_tensors_for_others_meanwhile(sender: Sender, port: HeldPort) -> None:
    """But not a second one for the same peer, nor those behind it."""
    sent: list[str] = []
    for peer, tensor in (("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")):
        send(sender, peer, tensor, FILLS_S, sent)
    port.wait_for("1", "2")
    time.sleep(10 * FILLS_S)
    port.let_out("2")
    port.wait_for("1", "2")
    port.let_out("1")
    port.wait_for("1", "2", "3", "4")
    port.let_out("4", "3")
    done = threading.Event()
    sender.then(done.set)
    assert done.wait(SOON_S)
    assert sorted(sent) == ["1", "2", "3", "4"]


def test_one_that_is_through_sooner_makes_way_at_once(sender: Sender, port: HeldPort) -> None:
    port.let_out("1")
    send(sender, "a", "1", 100 * SOON_S)
    send(sender, "b", "2", 100 * SOON_S)
    port.wait_for("1", "2")


@pytest.mark.parametrize("fills_s", [None, FILLS_S])
def test_what_follows_waits_for_all_that_is_under_way(sender: Sender, port: HeldPort, fills_s: float | None) -> None:
    send(sender, "a", "1", fills_s)
    send(sender, "b", "2", fills_s)
    done = threading.Event()
    sender.then(done.set)
    port.wait_for(*(("1",) if fills_s is None else ("1", "2")))
    port.let_out("2")
    assert not done.wait(10 * FILLS_S)
    port.let_out("1")
    assert done.wait(SOON_S)


def test_closing_drops_what_is_under_way(port: HeldPort) -> None:
    sender = Sender(port, time.perf_counter)
    send(sender, "a", "1", FILLS_S)
    send(sender, "b", "2", FILLS_S)
    port.wait_for("1", "2")
    sender.close()


@pytest.mark.parametrize("fills_s", [None, FILLS_S])
def test_one_that_cannot_be_sent_does_not_keep_others(sender: Sender, port: HeldPort, fills_s: float | None) -> None:
    sent: list[str] = []
    send(sender, "nowhere", "1", fills_s, sent)
    send(sender, "a", "2", fills_s, sent)
    port.let_out("2")
    done = threading.Event()
    sender.then(done.set)
    assert done.wait(SOON_S)
    assert sorted(sent) == ["2", "its name is not known any more"]


def test_whoever_connects_is_told_what_went_wrong(sender: Sender) -> None:
    with pytest.raises(OSError, match="too many open files"):
        sender.connect({"nowhere": "nowhere:1"})
    sender.connect({"a": "a:1"})


def test_where_no_thread_can_be_started_the_next_is_sent(
    sender: Sender, port: HeldPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sent: list[str] = []
    port.let_out("2")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        send(sender, "a", "1", FILLS_S, sent)
        sender.connect({})
    send(sender, "a", "2", FILLS_S, sent)
    sender.connect({})
    assert sent == ["can't start new thread", "2"]
