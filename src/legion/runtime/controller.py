"""The controller: connects to devices, installs plans on them, runs frames, and measures. Blocking, thread-safe."""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Self, TypeVar

from legion.cluster.device import Device, DeviceInfo
from legion.errors import InputError, PeerError
from legion.model.model import Array
from legion.plan.executable import ExecutablePlan
from legion.plan.scheme import CONTROLLER
from legion.plan.timeline import Timeline
from legion.profile.probes import LayerProbe
from legion.profile.samples import LayerSample, MeasurementPolicy, ProcessorSample
from legion.runtime.calls import answer_of, wait_at_most, wait_for
from legion.runtime.controller_events import Request, StopWork
from legion.runtime.frames import FRAMES_IN_FLIGHT, Frames
from legion.runtime.installation import DeviceProgress, digests_of, fill_cache, install_programs, make_install, upload
from legion.runtime.link_probe import LinkProbe, handling_s, link_inputs, link_plan, link_samples
from legion.runtime.measured import ClockReading, best_reading, measured_timeline
from legion.runtime.network import real_network
from legion.runtime.sender import Sender
from legion.runtime.switchboard import FrameEvent, OpenCall, Switchboard
from legion.runtime.weights import WeightStore
from legion.transport.base import Transport, split_address
from legion.wire.messages import (
    FrameReport,
    Goodbye,
    Hello,
    LayersProbed,
    Ping,
    Pong,
    ProbeLayers,
    ProbeProcessor,
    ProcessorProbed,
    Welcome,
)

_CLOCK_READINGS = 12
_LEAST_LINK_ROUNDS = 3
"""One of which may have been held up without moving a median far."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds: for devices to be there, for a frame, for any sign of life, for a farewell."""

    connect_s: float = 5.0
    run_s: float = 120.0
    silence_s: float = 120.0
    release_s: float = 1.0


def tell_nobody(device: str, fraction: float) -> None:
    """Progress for which nobody asked."""


class Controller:
    """Use it in a `with` statement, or `close` it, so that the devices are free for others.

    `transport` is the controller's from then on; without one it is ZeroMQ. `weight_cache` is a directory that all
    devices share with this machine: weights are put there, and need not be sent. Frames and
    installations are done one at a time; different devices may be probed from several threads at once.

    Raises InputError for devices without distinct names, and for addresses that lead nowhere.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        transport: Transport | None = None,
        *,
        name: str | None = None,
        timeouts: Timeouts = Timeouts(),
        weight_cache: Path | None = None,
    ) -> None:
        self._devices = _by_name(devices)
        self._name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._timeouts = timeouts
        self._cache = None if weight_cache is None else WeightStore(weight_cache)
        self._transport = transport or real_network()
        self._clock = self._transport.clock
        self._welcomes: dict[str, Welcome] = {}
        self._frames: Frames | None = None
        self._lock = threading.RLock()
        self._closed = False
        addresses = {name: device.address for name, device in self._devices.items()}
        self._endpoint = self._transport.dial(addresses)
        self._switchboard = Switchboard(self._endpoint, self._devices, self._clock, self._frame_event)
        self._sender = Sender(self._transport.out_port(), self._clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, names: Iterable[str] | None = None) -> Mapping[str, DeviceInfo]:
        """Take these devices, or all, unless they are ours already; what each says about itself, by name.

        One that comes back has dropped what was installed, so that a plan has to be installed anew.

        Raises InputError for a name that is not known, and PeerError that names those which cannot be reached, are in
        use, or speak another version; the others are ours all the same.
        """
        self._check_open()
        with self._lock:
            wanted = list(self._devices if names is None else names)
            for name in set(wanted) - self._devices.keys():
                raise InputError(f"{name} is not one of the devices, which are {', '.join(self._devices)}")
            missing = [name for name in wanted if name not in self._welcomes or not self._switchboard.is_ready(name)]
            if missing:
                self._frames = None
                self._greet(missing)
            return {name: self._welcomes[name].info for name in wanted}

    def _greet(self, names: Sequence[str]) -> None:
        hello = Hello(controller=self._name)
        for name in names:
            self._welcomes.pop(name, None)
        calls = self._switchboard.call_all(dict.fromkeys(names, lambda _: hello))
        try:
            wait_at_most(calls, self._timeouts.connect_s)
        finally:
            self._switchboard.forget(call for call in calls if not call.is_over)
        problems: list[str] = []
        for call in calls:
            try:
                self._welcomes[call.device] = self._welcome(call)
            except PeerError as exc:
                problems.append(str(exc))
        if problems:
            raise PeerError("; ".join(problems))

    def install(self, plan: ExecutablePlan, progress: DeviceProgress | None = None) -> Mapping[str, int]:
        """Send the weights that devices lack, then their programs, in place of what was installed.

        `progress` is told a device's name and the fraction that is done, weights counting for one half.
        Returns the memory in bytes that each device's prepared graphs take.

        Raises InputError when the plan names devices that are not ours or an engine cannot run a
        graph, PeerError when a device fails or its disk is full.
        """
        tell = progress or tell_nobody
        devices = {name: node for name, node in plan.nodes.items() if name != CONTROLLER}
        for name in devices.keys() - self._devices.keys():
            raise InputError(f"the plan needs device {name}, which is not one of {', '.join(self._devices)}")
        self._check_open()
        with self._lock, self._stopping_on_failure(devices):
            silence_s = self._timeouts.silence_s
            wanted = {name: digests_of(node) for name, node in devices.items()}
            self._provide(wanted, plan.constants, lambda name, done: tell(name, done / 2))
            number = secrets.randbits(62)
            installs = {
                name: make_install(number, node, self._addresses_for(name), FRAMES_IN_FLIGHT)
                for name, node in devices.items()
            }
            resident_bytes = install_programs(
                self._switchboard, installs, silence_s, lambda name, done: tell(name, 0.5 + done / 2)
            )
            self._sender.connect({name: self._data_address(name) for name in devices})
            self._frames = Frames(number, plan, self._switchboard, self._sender, self._clock)
            self._frames.use()
            return resident_bytes

    def holds(self, plan: ExecutablePlan) -> bool:
        """Whether this plan is the installed one, and no failure has put it in doubt."""
        frames = self._frames
        return frames is not None and frames.executable is plan

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Run one frame; the tensors named in `outputs`, whole.

        Without `outputs`, they are all that the controller receives and does not send on.

        Raises InputError for a missing input, an unknown output, or if no plan is installed; PeerError
        when a device fails or takes too long, after which the others can be given a new plan.
        """
        with self._lock:
            return self._installed().run(inputs, outputs, self._timeouts.run_s)

    def timeline(self) -> Timeline:
        """What happened in the last frame, with all clocks brought to the controller's.

        Raises InputError if no frame was run, PeerError when a device does not report.
        """
        with self._lock:
            frames = self._installed()
            reports = frames.last_reports(self._timeouts.run_s)
            offsets_s = {name: self._read_clock(name).offset_s for name in reports if name != CONTROLLER}
            programs = {name: node.program for name, node in frames.executable.nodes.items()}
            return measured_timeline(programs, reports, offsets_s, frames.last_times)

    def reports(self) -> Mapping[str, FrameReport]:
        """Messages, bytes and processor time of the last frame, by node, the controller among them.

        Raises InputError if no frame was run, PeerError when a device does not report.
        """
        with self._lock:
            return self._installed().last_reports(self._timeouts.run_s)

    def probe_processor(self, device: str) -> ProcessorSample:
        """Run the reference kernel on a device, and copy memory. Raises PeerError when the device fails."""
        self._check_open()
        with self._stopping_on_failure([device]):
            return self._ask(device, lambda number: ProbeProcessor(request=number), ProcessorProbed).sample

    def probe_layers(
        self,
        device: str,
        probes: Sequence[LayerProbe],
        policy: MeasurementPolicy,
        constants: Mapping[str, Array],
        progress: Callable[[float], None] | None = None,
    ) -> tuple[LayerSample, ...]:
        """Measure layers on a device; `constants` are those that the probes' graphs name by digest.

        Raises InputError when the device cannot run a probe, PeerError when it fails.
        """
        self._check_open()
        digests = {
            constant.digest for probe in probes for constant in probe.graph.constants if constant.digest is not None
        }
        silence_s = self._timeouts.silence_s
        with self._stopping_on_failure([device]):
            self._provide({device: digests}, constants, tell_nobody)
            call = self._switchboard.call(
                device, lambda number: ProbeLayers(request=number, policy=policy, probes=tuple(probes))
            )
            wait_for(self._switchboard, [call], silence_s, lambda: progress(call.fraction) if progress else None)
            return answer_of(call, LayersProbed).samples

    def probe_link(self, device: str, sizes_bytes: Sequence[int], rounds: int, budget_s: float = inf) -> LinkProbe:
        """Measure the way to a device and back; it takes the place of the installed plan.

        After a round that is not counted there are as many as fit into `budget_s`, three at least and `rounds` at most.
        Sizes stand in descending order, at least two. Raises PeerError when the device fails.
        """
        with self._lock, self._stopping_on_failure([device]):
            self.install(link_plan(device, sizes_bytes))
            before = self._read_clock(device)
            frames: list[Mapping[str, FrameReport]] = []
            ends_s = self._clock() + budget_s
            while len(frames) <= rounds and (len(frames) <= _LEAST_LINK_ROUNDS or self._clock() < ends_s):
                self.run(link_inputs(sizes_bytes), outputs=())
                frames.append(self.reports())
            reading = best_reading([before, self._read_clock(device)])
            samples = link_samples(device, sizes_bytes, frames[1:], reading.offset_s)
            on_device_s, on_controller_s = handling_s(device, len(sizes_bytes), frames[1:])
            return LinkProbe(
                samples=samples,
                round_trip_s=reading.round_trip_s,
                handling_s=on_device_s,
                controller_handling_s=on_controller_s,
            )

    def close(self) -> None:
        """Let all devices go, and end all threads and connections."""
        if self._closed:
            return
        self._closed = True
        ours = [name for name in self._devices if self._switchboard.is_ready(name)]
        calls = self._switchboard.call_all(dict.fromkeys(ours, lambda _: Goodbye()))
        wait_at_most(calls, self._timeouts.release_s)
        self._sender.close()
        self._switchboard.close()
        self._transport.close()

    def _provide(
        self, wanted: Mapping[str, set[str]], constants: Mapping[str, Array], progress: DeviceProgress
    ) -> None:
        """See that each device has the constants that it wants."""
        if self._cache is not None:
            with self._lock:
                fill_cache(self._cache, set[str]().union(*wanted.values()), constants)
        upload(self._switchboard, wanted, constants, self._timeouts.silence_s, progress)

    def _frame_event(self, event: FrameEvent) -> None:
        frames = self._frames
        if frames is not None:
            frames.take(event)

    def _check_open(self) -> None:
        if self._closed:
            raise InputError("this cluster is closed; connect to the devices anew")

    def _installed(self) -> Frames:
        self._check_open()
        if self._frames is None:
            raise InputError("no plan is installed; install one first")
        return self._frames

    def _welcome(self, call: OpenCall) -> Welcome:
        if call.is_over:
            return answer_of(call, Welcome)
        address = self._devices[call.device].address
        raise PeerError(
            f"device {call.device} at {address} does not answer; see that a worker runs there and the address is right"
        )

    def _data_address(self, device: str) -> str:
        host, _ = split_address(self._devices[device].address)
        return f"{host}:{self._welcomes[device].data_port}"

    def _addresses_for(self, device: str) -> dict[str, str]:
        """Where each node receives tensors, as seen from a device."""
        own_host = self._transport.own_host(self._devices[device].address)
        addresses = {name: self._data_address(name) for name in self._welcomes}
        return {**addresses, CONTROLLER: f"{own_host}:{self._endpoint.data_port}"}

    def _ask(self, device: str, request: Callable[[int], Request], expected: type[T]) -> T:
        call = self._switchboard.call(device, request)
        wait_for(self._switchboard, [call], self._timeouts.silence_s)
        return answer_of(call, expected)

    def _read_clock(self, device: str) -> ClockReading:
        """The best of a few readings in a row."""
        readings: list[ClockReading] = []
        for _ in range(_CLOCK_READINGS):
            call = self._switchboard.call(device, lambda number: Ping(request=number))
            wait_for(self._switchboard, [call], self._timeouts.silence_s)
            clock_s = answer_of(call, Pong).clock_s
            readings.append(ClockReading(asked_s=call.asked_s, answered_s=call.answered_s, clock_s=clock_s))
        return best_reading(readings)

    @contextmanager
    def _stopping_on_failure(self, devices: Iterable[str]) -> Generator[None]:
        """When the body fails or is interrupted, make these devices drop what they do, and the installed plan."""
        try:
            yield
        except BaseException:
            for name in devices:
                self._switchboard.post(StopWork(device=name))
            self._frames = None
            raise


def _by_name(devices: Sequence[Device]) -> dict[str, Device]:
    by_name = {device.name: device for device in devices}
    if len(by_name) < len(devices) or CONTROLLER in by_name:
        raise InputError(f"devices need distinct names other than {CONTROLLER!r}; change those of {list(by_name)}")
    return by_name
