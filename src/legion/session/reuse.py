"""Measuring and choosing once: what the cache has is taken from there, what is made anew is kept there."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import legion
from legion.model.model import Model
from legion.plan.assign import Shares
from legion.policy.base import Choice
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.samples import Profile
from legion.session.cache import Cache, age_s
from legion.session.cluster import Cluster
from legion.session.entries import key_of
from legion.session.progress import Progress, silent
from legion.session.stages import Planning, profile_devices
from legion.session.trials import Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """A profile, and how old it is where the cache had it."""

    profile: Profile
    age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A choice, what its trials took, and how old it is where the cache had it."""

    choice: Choice
    trials: MeasurementCost
    age_s: float | None = None


def profile_once(  # noqa: PLR0913 - three have a default that suits
    model: Model,
    cluster: Cluster,
    cache: Cache | None,
    *,
    known: Profile | None = None,
    training: bool = False,
    progress: Progress = silent,
) -> Profiled:
    """The devices' profile: what is cached, or known in place of that, with what it lacks measured.

    Raises PeerError, with the device's name, if one fails.
    """
    if known is not None:
        cache = None
    kept = cache.profile(model, cluster) if cache else None
    before = kept.profile if kept else known
    profile = profile_devices(model, cluster, known=before, training=training, progress=progress)
    if cache and profile != before:
        cache.keep_profile(model, cluster, profile, kept.since if kept else None)
    return Profiled(profile=profile, age_s=age_s(kept) if kept else None)


def choose_once(  # noqa: PLR0913 - three have a default that suits
    planning: Planning,
    policy: str,
    cache: Cache | None,
    *,
    shares: Shares | None = None,
    trials: Trials | None = None,
    tried_on: Cluster | None = None,
) -> Chosen:
    """A policy's choice; `trials`, if there are any, are run on the cluster `tried_on`.

    Raises what `Planning.choose` does.
    """
    key = _plan_key(planning, policy, shares, tried_on) if cache else ""
    kept = cache.plan(key) if cache else None
    if kept is not None:
        return Chosen(choice=kept.choice, trials=kept.trials, age_s=age_s(kept))
    choice = planning.choose(policy, shares=shares, trial=trials)
    cost = trials.cost if trials else MeasurementCost()
    if cache:
        cache.keep_plan(key, choice, cost)
    return Chosen(choice=choice, trials=cost)


def _plan_key(planning: Planning, policy: str, shares: Shares | None, tried_on: Cluster | None) -> str:
    """The digest of all that a choice depends on; the order of the shares asked for is that of the devices."""
    trials = None if tried_on is None else (tried_on.reached, tried_on.devices)
    asked = None if shares is None else tuple(shares.items())
    return key_of(_code_digest(), planning.model.digest, planning.profile, planning.devices, policy, asked, trials)


def _code_digest() -> str:
    """The digest of Legion's files, compiled ones too: a plan is another planner's even if its version is the same."""
    digest = blake2b(digest_size=16)
    for path in sorted(Path(legion.__file__).parent.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()
