"""Errors as they cross the wire: their kind and their words."""

import logging

from legion.errors import InfeasibleError, InputError, InternalError, LegionError, PeerError
from legion.wire.messages import FaultKind

_ERRORS: dict[FaultKind, type[LegionError]] = {
    "InputError": InputError,
    "InfeasibleError": InfeasibleError,
    "PeerError": PeerError,
    "InternalError": InternalError,
}

_logger = logging.getLogger(__name__)


def fault_kind(error: LegionError) -> FaultKind:
    """The kind by which an error is known on the wire."""
    for kind, error_type in _ERRORS.items():
        if isinstance(error, error_type):
            return kind
    return "InternalError"


def as_legion_error(error: Exception) -> LegionError:
    """An error of ours as it is; any other one as an InternalError, and its traceback in the log."""
    if isinstance(error, LegionError):
        return error
    _logger.error("this should not have happened", exc_info=error)
    return InternalError(f"{type(error).__name__}: {error}")


def error_of_kind(kind: FaultKind, message: str) -> LegionError:
    """The error of a kind."""
    return _ERRORS[kind](message)


def remote_error(device: str, kind: FaultKind, message: str) -> LegionError:
    """The error that a device met, to be raised on the controller."""
    return error_of_kind(kind, f"device {device}: {message}")
