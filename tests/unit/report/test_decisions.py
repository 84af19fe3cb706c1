"""How it is told what decided for a plan."""

import pytest

from legion.plan.scheme import Scheme
from legion.policy.base import Choice, GroupSearchReport
from legion.report.tables import decision_line


@pytest.mark.parametrize(
    ("tried", "told"),
    [
        (231, "trials: 231 of 231 groups were tried on the devices"),
        (
            9,
            "trials: 9 of 231 groups were tried on the devices; another partition could be faster by 0.4% at most, "
            "if no other group takes less than 93% of what is predicted",
        ),
    ],
)
def test_a_search_over_groups_tells_what_may_be_hidden(tried: int, told: str) -> None:
    report = GroupSearchReport(tried=tried, groups=231, optimism=0.93, hidden=0.004)
    scheme = Scheme(policy="lazy-search", model_digest="", devices=("a",), groups=(), owners={}, via={})
    choice = Choice(scheme=scheme, shares={"a": 1.0}, predicted_group_s=(1.0,), group_search=report)
    assert decision_line(choice) == told
