"""The controller: connects to devices, installs plans on them, runs frames, and measures. Blocking, thread-safe."""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from legion.cluster.device import Device, DeviceInfo
from legion.errors import InputError, LegionError, PeerError
from legion.model.model import Array
from legion.plan.executable import ExecutablePlan
from legion.plan.scheme import CONTROLLER
from legion.plan.timeline import Timeline
from legion.profile.probes import LayerProbe
from legion.profile.samples import LayerSample, LinkSample, MeasurementPolicy
from legion.runtime.calls import answer_of, ask, wait_for
from legion.runtime.controller_events import ForgetCall, StopWork
from legion.runtime.frames import FRAMES_IN_FLIGHT, Frames
from legion.runtime.installation import DeviceProgress, digests_of, install_programs, make_install, upload
from legion.runtime.link_probe import link_plan, link_samples
from legion.runtime.measured import ClockReading, best_reading, measured_timeline
from legion.runtime.sender import Sender
from legion.runtime.switchboard import FrameEvent, OpenCall, Switchboard
from legion.transport.base import Transport, split_address
from legion.transport.zeromq import ZeroMqTransport
from legion.wire.codec import MAX_CONTROL_BYTES, MAX_TENSOR_BYTES
from legion.wire.messages import (
    CopyingProbed,
    FrameReport,
    Goodbye,
    Hello,
    LayersProbed,
    Ping,
    Pong,
    ProbeCopying,
    ProbeLayers,
    Welcome,
)

_CLOCK_READINGS = 12


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

    `devices` must have distinct names. Frames run one at a time, and so do installations; devices
    may be probed from several threads at once.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        transport: Transport | None = None,
        *,
        name: str | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    ) -> None:
        self._devices = {device.name: device for device in devices}
        ...
