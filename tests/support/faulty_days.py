"""The fault table's mornings: a store with a good history, a morning on which something goes wrong, and the next one.

`.venv/bin/python -m tests.support.faulty_days` prints what each row of docs/FAULTS.md does, and the time it took.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from portfolio.day.ledger import import_ledger
from portfolio.day.stages import writing
from portfolio.universe import read_universe
from tests.support.days import paris, run_at
from tests.support.live_days import Believed, Morning, believed, even_weights, live_settings, morning, universe_with
from tests.support.outside import market_of_sample, serving
from tests.support.outside.edits import add_dividend, add_split
from tests.support.outside.faults import fault_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portfolio.settings import Settings
    from tests.support.outside import Stub

TABLE = Path(__file__).parents[2] / "docs" / "FAULTS.md"
LINES = ("WPEA.PA", "PUST.PA", "LQQ.PA")  # fewer than there are, as each fault costs two mornings
GOOD, FAULTY, NEXT = paris("2018-06-28 07:30"), paris("2018-06-29 07:30"), paris("2018-07-02 07:30")
NEWEST = pd.Timestamp("2018-06-28")  # whose closes the faulty morning brings
LAST = date(2018, 6, 29)  # which the next morning brings, with all that lacked before
NEWEST_MACRO = pd.Timestamp("2018-06-27")
# Holds the two lines that the faults strike; the split of the one is booked.
LEDGER = """\
date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note
2018-05-02,deposit,,,,,10000,
2018-05-03,buy,PUST.PA,100,31,12.5,,
2018-05-03,buy,LQQ.PA,60,20,9.5,,
2018-06-28,split,LQQ.PA,120,,,,
"""


@dataclass(frozen=True, slots=True)
class World:
    """A market, the stub that serves it, and the folder of a store that knows it up to the good morning."""

    market: Path
    stub: Stub
    good: Path
    universe: Path


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: the fault as the command line takes it, and what is to be seen."""

    fault: str
    update_exit: int
    day_exit: int
    rules: tuple[str, ...]
    kept: int
    set_aside: int
    next_exit: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen: the row as it should stand in the table, and what the store believes after each morning."""

    row: Row
    faulty: Morning
    after: Believed
    after_next: Believed


@contextmanager
def faulty_world(folder: Path) -> Iterator[World]:
    """Make the market and the good store, once for all faults, and serve it."""
    market = market_of_sample(folder / "market", date(2017, 3, 1), date(2018, 7, 6))
    add_dividend(market, "PUST.PA", date(2018, 6, 26), 0.25)
    add_split(market, "LQQ.PA", date(2018, 6, 28), 2.0)
    ledger = folder / "ledger.csv"
    ledger.write_text(LEDGER, "utf-8")
    with serving(market) as stub:
        world = World(market, stub, folder / "good", universe_with(folder, *LINES, "VIXCLS"))
        settings = settings_of(world, world.good)
        run = run_at(settings, GOOD, "ledger")
        with writing(run) as (store, _):
            import_ledger(store, run, ledger)
        good = morning(settings, stub, GOOD)
        if good.answer["decision"] != "TARGET":
            message = f"The morning before the faults must be a good one: {good.answer['reasons']}"
            raise AssertionError(message)
        yield world


def settings_of(world: World, folder: Path) -> Settings:
    """The settings of a folder in that world."""
    keys = {"PORTFOLIO_UNIVERSE_FILE": world.universe, "PORTFOLIO_FETCH_TIMEOUT_S": "0.5"}
    return live_settings(folder, world.stub, **keys, **even_weights(read_universe(world.universe)))


def mornings_with(world: World, folder: Path, text: str) -> Seen:
    """Let the fault strike on a copy of the good store, then let a good morning follow."""
    settings = settings_of(world, shutil.copytree(world.good, folder))
    world.stub.clear()
    world.stub.forget()
    if text:
        world.stub.inject(fault_of(text))
    faulty = morning(settings, world.stub, FAULTY)
    after = believed(settings)
    world.stub.clear()
    following = morning(settings, world.stub, NEXT)
    row = Row(
        text,
        faulty.update_exit,
        faulty.day_exit,
        tuple(sorted({finding.rule for finding in faulty.findings})),
        newest_kept(after),
        len(after.quarantined),
        following.day_exit,
    )
    return Seen(row, faulty, after, believed(settings))


def newest_kept(told: Believed) -> int:
    """How many of the six rows that the morning should bring are believed: five prices and a macro value."""
    prices = int((told.prices["observed_on"] == NEWEST).sum())
    return prices + int((told.macro["observed_on"] == NEWEST_MACRO).sum())


def read_table() -> list[Row]:
    """Read the rows of docs/FAULTS.md."""
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| `")]
    return [_row([cell.strip() for cell in line.strip("|").split("|")]) for line in lines]


def _row(cells: list[str]) -> Row:
    fault, _, update, day, rules, kept, set_aside, following, *_ = cells
    named = tuple(sorted(rule.strip("` ") for rule in rules.split(",") if "`" in rule))
    return Row(fault.strip("`"), int(update), int(day), named, int(kept), int(set_aside), int(following))


def main() -> None:
    """Print what each fault of the table, or those named, does."""
    wanted = sys.argv[1:] or [row.fault for row in read_table()]
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory(prefix="faults-") as made, faulty_world(Path(made)) as world:
        for place, text in enumerate(wanted):
            seen = mornings_with(world, Path(made) / str(place), text.removeprefix("none"))
            row, rules = seen.row, ", ".join(f"`{rule}`" for rule in seen.row.rules) or "none"
            print(  # noqa: T201  # its answer
                f"| `{text}` | {row.update_exit} | {row.day_exit} | {rules} | {row.kept} | {row.set_aside} | "
                f"{row.next_exit} | {seen.faulty.update_s:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
