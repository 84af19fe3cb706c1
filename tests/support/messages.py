"""What devices say of themselves and of a frame, for tests to which most of it is nothing."""

from legion.cluster.device import DeviceInfo
from legion.wire.messages import FrameReport, Record

INFO = DeviceInfo(name="pi", cores=1, threads=1, memory_bytes=1, machine="m", engine="e", providers=(), versions={})


def frame_report(*records: Record, plan: int = 7, frame: int = 0) -> FrameReport:
    """The report of a frame that took nothing but these records."""
    return FrameReport(
        plan=plan,
        frame=frame,
        records=records,
        compute_cpu_s=0,
        wire_cpu_s=0,
        process_cpu_s=0,
        sent_messages=0,
        sent_bytes=0,
        received_messages=0,
        received_bytes=0,
        dropped=0,
    )
