"""The whole's verdict."""

from __future__ import annotations

from portfolio.health.verdict import Check, Status, worst


def test_whole_is_as_well_as_its_worst_check_and_never_well_without_any():
    good, bad = Check("a", Status.HEALTHY, ""), Check("b", Status.DEGRADED, "")
    assert worst((good,)) is Status.HEALTHY
    assert worst((good, bad)) is Status.DEGRADED
    assert worst(()) is Status.UNHEALTHY
