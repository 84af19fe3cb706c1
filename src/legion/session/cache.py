"""Profiles and plans on disk, by what they were made from."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from legion.model.model import Model
from legion.policy.base import Choice
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.samples import Profile
from legion.profile.store import FORMAT_VERSION
from legion.session.cluster import Cluster
from legion.session.entries import Entries, key_of

DEFAULT_FOLDER = Path("~/.cache/legion")

OLDEST_PROFILE = timedelta(days=1)
"""Boards get slower, by heat or by other work, and measuring takes seconds: older profiles are not believed."""

_MOST_PROFILES = 50
_MOST_PLANS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptProfile:
    """A profile, and when the oldest part of it was measured."""

    since: datetime
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPlan:
    """A policy's choice, what its trials took, and when it was made."""

    since: datetime
    choice: Choice
    trials: MeasurementCost


class Cache:
    """A folder of profiles and plans, the newest of each; what is damaged there is as good as missing.

    A profile is known by the model and the devices: what they say of themselves, and where they are reached. A plan is
    known by the digest of all that it depends on; see `legion.session.reuse`.
    """

    def __init__(self, folder: str | Path = DEFAULT_FOLDER) -> None:
        home = Path(folder).expanduser()
        self._profiles = Entries(home / "profiles", KeptProfile, _MOST_PROFILES)
        self._plans = Entries(home / "plans", KeptPlan, _MOST_PLANS)

    def profile(self, model: Model, cluster: Cluster) -> KeptProfile | None:
        """The devices' profile, unless it is too old."""
        kept = self._profiles.get(_profile_key(model, cluster))
        if kept is None or not 0 <= age_s(kept) <= OLDEST_PROFILE.total_seconds():
            return None
        return kept

    def keep_profile(self, model: Model, cluster: Cluster, profile: Profile, since: datetime | None = None) -> None:
        """Keep a profile measured just now, or in part at a time `since`."""
        kept = KeptProfile(since=since or datetime.now(UTC), profile=profile)
        self._profiles.put(_profile_key(model, cluster), kept)

    def plan(self, key: str) -> KeptPlan | None:
        """What is kept under this key."""
        return self._plans.get(key)

    def keep_plan(self, key: str, choice: Choice, trials: MeasurementCost) -> None:
        """Keep a choice made just now, and what its trials took."""
        self._plans.put(key, KeptPlan(since=datetime.now(UTC), choice=choice, trials=trials))


def age_s(kept: KeptProfile | KeptPlan) -> float:
    """Seconds since then."""
    return (datetime.now(UTC) - kept.since).total_seconds()


def _profile_key(model: Model, cluster: Cluster) -> str:
    return key_of(FORMAT_VERSION, model.digest, cluster.reached, cluster.devices)
