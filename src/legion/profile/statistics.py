"""From samples to figures: what a layer or a message takes, with the device's drift taken out."""

from collections.abc import Sequence
from itertools import accumulate
from math import sqrt
from statistics import NormalDist, mean, median

from legion.profile.samples import DeviceProfile, LayerSample

_NEAR = 1.2
"""The reference kernel's own times differ by this where other work runs beside it; a device that throttles, by more."""

_MEDIAN_APART = sqrt(2) * NormalDist().inv_cdf(0.75)
"""The median of how far two draws of a normal distribution are apart, in standard deviations."""

_LONGEST = 1.5
"""Of the median: what takes longer was held up by something else, and counts as this."""


def reference_s(profile: DeviceProfile) -> float:
    """R0: the median over all samples of what the reference kernel took on this device, in seconds."""
    return median(seconds for sample in profile.layers for seconds in sample.reference_s)


def drift(now_s: float, as_a_rule_s: float) -> float:
    """How many times faster than as a rule a device is, by what the reference kernel takes; 1 where that is near.

    Near, the kernel's time would add more noise than it takes away: who else computes beside it shows in it, too.
    """
    is_near = max(now_s, as_a_rule_s) <= _NEAR * min(now_s, as_a_rule_s)
    return 1.0 if is_near else as_a_rule_s / now_s


def normalised_s(sample: LayerSample, reference_s: float) -> Sequence[float]:
    """By round, in seconds, what the run would have taken if the device had been as fast as it is as a rule.

    That is `t * R0 / r`, r being what the reference kernel took then and R0 `reference_s`; `t` where r is near R0.
    """
    return [
        seconds * drift(reference, reference_s)
        for seconds, reference in zip(sample.seconds, sample.reference_s, strict=True)
    ]


def undisturbed_s(seconds: Sequence[float]) -> float:
    """The mean of the faster half: what repeats itself. What disturbs runs only ever makes them longer."""
    return mean(sorted(seconds)[: -(-len(seconds) // 2)])


def expected_s(seconds: Sequence[float]) -> float:
    """The mean, since runs follow one another and their times add up; but a few outliers hardly count."""
    longest_s = _LONGEST * median(seconds)
    return mean(min(each_s, longest_s) for each_s in seconds)


def deviation(pairs: Sequence[tuple[float, float]]) -> float:
    """The standard deviation, as a fraction, of runs that were run one after the other, in seconds; 0 without any.

    By the median of what the two of a pair differ by, each pair counted by its time, as if they were normally
    distributed: how far outliers are off does not count.
    """
    timed = [(one, other) for one, other in pairs if one + other > 0]
    apart = sorted((2 * abs(one - other) / (one + other), one + other) for one, other in timed)
    half_s = sum(seconds for _, seconds in apart) / 2
    passed_s = accumulate(seconds for _, seconds in apart)
    return next((far / _MEDIAN_APART for (far, _), s in zip(apart, passed_s, strict=True) if s >= half_s), 0.0)
