"""The four kinds of failure, each saying whose fault it is and what to do."""


class LegionError(Exception):
    """Base of every error that Legion raises on purpose."""


class InputError(LegionError):
    """The model, file, feed or argument given by the caller is at fault."""


class InfeasibleError(LegionError):
    """No plan fits the devices; the message holds the numbers."""


class PeerError(LegionError):
    """A device or the network failed; the message names the device."""


class InternalError(LegionError):
    """Legion broke one of its own rules."""
