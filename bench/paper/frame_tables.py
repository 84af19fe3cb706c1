"""Where the time of Legion's frames goes, and what their groups would take if the paper's T were true."""

from statistics import median

from bench.markdown import markdown_table
from bench.paper.cell_files import CellFile, Cells, Published
from bench.paper.cells import WILD_CARD
from bench.paper.results import MeasuredGroup, MeasuredPolicy

_BLANK = ""
_PARALLEL = "parallel, measured runs"


def frame_table(cells: Cells, published: Published) -> str:
    """Frames of Legion with wild card beside the sums over its groups, as FSS found each alone on the boards.

    `T as in the paper` is the speed-up if runs take what was measured and a group takes its maximum over devices of
    scatter, run and gather, as if no two of them shared the controller's port.
    """
    header = ("network", "devices", "frame", "its groups alone", "longest runs", "scatter and gather")
    speedups = ("speed-up: paper", "here", "T as in the paper", "over the paper's")
    rows: list[list[str]] = []
    for place, cell in cells.items():
        policy = cell.policy(WILD_CARD)
        groups = _groups(cell, policy) if policy else None
        if policy is None or groups is None:
            continue
        alone_s, runs_s, parallel_s = (sum(map(of, groups)) for of in (_latency_s, _longest_s, _parallel_s))
        there, with_paper_s = published.speedups.get(place, {}).get(WILD_CARD), cell.one_device.median_s / parallel_s
        rows.append(
            [
                *place,
                *(f"{1e3 * each:.0f} ms" for each in (policy.median_s, alone_s, runs_s, alone_s - runs_s)),
                f"{there:.2f}" if there else _BLANK,
                f"{policy.speedup:.2f}",
                f"{with_paper_s:.2f}",
                f"{with_paper_s / there - 1:+.0%}" if there else _BLANK,
            ]
        )
    return markdown_table((*header, *speedups), rows)


def _groups(cell: CellFile, policy: MeasuredPolicy) -> list[MeasuredGroup] | None:
    """The policy's groups as the full search measured them; None where it did not."""
    by_ends = {(group.first, group.end): group for group in cell.groups}
    found = [by_ends[ends] for ends in policy.groups if ends in by_ends]
    return found if len(found) == len(policy.groups) else None


def _latency_s(group: MeasuredGroup) -> float:
    return median(group.latency_s)


def _longest_s(group: MeasuredGroup) -> float:
    return max(median(seconds) for seconds in group.run_s.values())


def _parallel_s(group: MeasuredGroup) -> float:
    return group.predicted_s[_PARALLEL]
