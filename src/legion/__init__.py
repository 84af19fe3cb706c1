"""Legion: one neural network, several unequal devices, the same answer, sooner."""

from legion.errors import InfeasibleError, InputError, InternalError, LegionError, PeerError
from legion.model.onnx_import import load_model
from legion.profile.store import read_profile, write_profile
from legion.session.cluster import Cluster, connect, local_cluster
from legion.session.inference_session import InferenceSession
from legion.session.stages import lower_scheme, plan_model, profile_devices, simulate_scheme

__all__ = [
    "Cluster",
    "InfeasibleError",
    "InferenceSession",
    "InputError",
    "InternalError",
    "LegionError",
    "PeerError",
    "connect",
    "load_model",
    "local_cluster",
    "lower_scheme",
    "plan_model",
    "profile_devices",
    "read_profile",
    "simulate_scheme",
    "write_profile",
]
