"""All policies, by the names that users give."""

from collections.abc import Mapping

from legion.errors import InputError
from legion.policy.aofl import AoflPolicy
from legion.policy.auto import AutoPolicy
from legion.policy.base import Policy
from legion.policy.coedge import CoedgePolicy
from legion.policy.early_fused import EarlyFusedPolicy
from legion.policy.full_search import FullSearchPolicy
from legion.policy.legion import LegionPolicy
from legion.policy.modnn import ModnnPolicy

_ALL: tuple[Policy, ...] = (
    AutoPolicy(),
    LegionPolicy(),
    LegionPolicy("one at a time"),
    ModnnPolicy(),
    CoedgePolicy(),
    FullSearchPolicy(),
    FullSearchPolicy(lazy=True),
    AoflPolicy(),
    EarlyFusedPolicy(),
)

POLICIES: Mapping[str, Policy] = {policy.name: policy for policy in _ALL}


def policy_named(name: str) -> Policy:
    """The policy of this name. Raises InputError that lists the names there are."""
    policy = POLICIES.get(name)
    if policy is None:
        raise InputError(f"There is no policy {name!r}; there are {', '.join(POLICIES)}.")
    return policy
