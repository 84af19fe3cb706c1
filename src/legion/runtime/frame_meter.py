"""Counts what a node's threads and its whole process spend, from one frame to the next."""

import time

from legion.runtime.interpreter import FrameLog
from legion.wire.messages import FrameReport


class FrameMeter:
    """Makes reports of a node's frames; call it on the sender's thread alone."""

    def __init__(self) -> None:
        self._sender_cpu_s = 0.0
        self._process_cpu_s = time.process_time()

    def report(self, plan: int, log: FrameLog) -> FrameReport:
        """The report of a frame that has just ended; processor time of the receiving thread is still to be added."""
        sender_cpu_s, process_cpu_s = time.thread_time(), time.process_time()
        report = FrameReport(
            plan=plan,
            frame=log.frame,
            records=tuple(sorted(log.records, key=lambda record: record.instruction)),
            compute_cpu_s=log.compute_cpu_s,
            wire_cpu_s=sender_cpu_s - self._sender_cpu_s,
            process_cpu_s=process_cpu_s - self._process_cpu_s,
            sent_messages=log.sent_messages,
            sent_bytes=log.sent_bytes,
            received_messages=log.received_messages,
            received_bytes=log.received_bytes,
            overrun_s=log.overrun_s + log.sent_late_s,
            dropped=0,
        )
        self._sender_cpu_s, self._process_cpu_s = sender_cpu_s, process_cpu_s
        return report
