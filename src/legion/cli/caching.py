"""Where commands keep profiles and plans, and what they say when they use them again."""

from typing import Annotated

import typer

from legion.cli.console import errors
from legion.profile.samples import Profile
from legion.session.cache import Cache

NoCache = Annotated[bool, typer.Option("--no-cache", help="Use no profile and no plan of earlier runs, and keep none.")]

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def open_cache(no_cache: bool) -> Cache | None:
    """The user's cache, unless none is wanted."""
    return None if no_cache else Cache()


def tell_ages(profile_age_s: float | None, plan_age_s: float | None) -> None:
    """Say on standard error how old is what came from the cache, and how to have it anew."""
    if profile_age_s is not None:
        errors.print(f"the devices were profiled {_ago(profile_age_s)}; `legion profile` measures anew")
    if plan_age_s is not None:
        errors.print(f"planned {_ago(plan_age_s)} from the same profile; --no-cache plans anew")


def tell_added(given: Profile | None, used: Profile) -> None:
    """Say on standard error that a profile that was given lacked something, and how to keep what was measured now."""
    if given is not None and _costs(used) != _costs(given):
        errors.print(
            "the given profile lacked samples, which were measured now and are not kept; "
            "`legion profile MODEL ... --profile FILE -o FILE` adds them to it"
        )


def _costs(profile: Profile) -> tuple[object, ...]:
    """What all that is in a profile took to measure: other samples, other costs."""
    return profile.shared_cost, {name: device.costs for name, device in profile.devices.items()}


def _ago(seconds: float) -> str:
    for unit, length_s in _UNITS:
        count = int(seconds / length_s)
        if count:
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "less than a minute ago"
