"""Memory of the whole stack at rest, each shared page counted once (PSS)."""

from __future__ import annotations

import time

from tests.support.machine.shell import on

LARGEST_MB = 1000
SETTLE_S = 20
# Every process of the machine with its unit and its share of memory, kB.
PER_UNIT = (
    "for p in /proc/[0-9]*; do "
    "kb=$(awk '/^Pss:/{print $2}' $p/smaps_rollup 2>/dev/null); "
    "unit=$(grep -m1 -o '[^/]*\\.\\(service\\|scope\\|socket\\)$' $p/cgroup 2>/dev/null); "
    '[ -n "$kb" ] && echo "${unit:-system} $kb"; done'
)


def memory_by_unit_mb(machine):
    """PSS by unit, MB, of what runs now."""
    found: dict[str, int] = {}
    for line in on(machine, PER_UNIT).splitlines():
        unit, kilobytes = line.split()
        found[unit] = found.get(unit, 0) + int(kilobytes)
    return {unit: round(kilobytes / 1024) for unit, kilobytes in sorted(found.items(), key=lambda item: -item[1])}


def test_stack_at_rest_takes_less_than_a_gigabyte(machine, figure):
    time.sleep(SETTLE_S)
    taken = memory_by_unit_mb(machine)
    total = sum(taken.values())
    figure(
        "memory at rest, MB (PSS, the whole machine)", {"total": total} | {u: mb for u, mb in taken.items() if mb >= 5}
    )
    assert total < LARGEST_MB, taken
