"""Budget factors."""

from murk.envs.records import Trajectory


def linear(trajectory: Trajectory, allowance: float) -> float:
    """1 while no limit is spent beyond the free share, then falling linearly to 0 at the limit; the scarcest counts.

    >>> from murk.envs.records import Trajectory
    >>> linear(Trajectory("t", "answered", "x", (), {"calls": 9}, {"calls": 10}), 0.8)
    0.5
    """
    factor = 1.0
    for name, limit in sorted(trajectory.budget.items()):
        share = trajectory.spending.get(name, 0.0) / limit if limit else float(trajectory.spending.get(name, 0.0) > 0)
        if share > allowance:
            factor = min(factor, max(0.0, (1 - share) / (1 - allowance)) if allowance < 1 else 1.0)
    return round(factor, 9)
