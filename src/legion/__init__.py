"""Legion: one neural network, several unequal devices, the same answer, sooner."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from legion.errors import InfeasibleError, InputError, InternalError, LegionError, PeerError
    from legion.model.normalization import NORMALIZATIONS, ByteNormalization
    from legion.model.onnx_import import halve_messages, load_model, prepare_model
    from legion.profile.store import read_profile, write_profile
    from legion.session.cache import Cache
    from legion.session.cluster import Cluster, connect, local_cluster
    from legion.session.inference_session import InferenceSession
    from legion.session.stages import lower_scheme, plan_model, profile_devices, simulate_scheme

__all__ = [
    "NORMALIZATIONS",
    "ByteNormalization",
    "Cache",
    "Cluster",
    "InfeasibleError",
    "InferenceSession",
    "InputError",
    "InternalError",
    "LegionError",
    "PeerError",
    "connect",
    "halve_messages",
    "load_model",
    "local_cluster",
    "lower_scheme",
    "plan_model",
    "prepare_model",
    "profile_devices",
    "read_profile",
    "simulate_scheme",
    "write_profile",
]

_HOMES = {
    "legion.errors": ("InfeasibleError", "InputError", "InternalError", "LegionError", "PeerError"),
    "legion.model.normalization": ("NORMALIZATIONS", "ByteNormalization"),
    "legion.model.onnx_import": ("halve_messages", "load_model", "prepare_model"),
    "legion.profile.store": ("read_profile", "write_profile"),
    "legion.session.cache": ("Cache",),
    "legion.session.cluster": ("Cluster", "connect", "local_cluster"),
    "legion.session.inference_session": ("InferenceSession",),
    "legion.session.stages": ("lower_scheme", "plan_model", "profile_devices", "simulate_scheme"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: a worker imports this package too, and needs none of them."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'legion' has no attribute {name!r}")
