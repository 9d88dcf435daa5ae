"""Live mornings in this process: the real clients against the stub, and what the store believes afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from portfolio.day.stages import not_fetched, orders_stage, signal_stage, update_stage, writing
from portfolio.day.update import fetch
from portfolio.errors import ExitCode, SourceError
from portfolio.store.connection import open_reader
from portfolio.store.journal import append_findings
from portfolio.store.prices import Known, newest_batch, read_actions, read_macro, read_prices, read_quarantined
from portfolio.universe import CASH
from tests.support.days import run_at, settings_in
from tests.support.new_process import forget_yfinance

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from portfolio.findings import Finding
    from portfolio.settings import Settings
    from portfolio.universe import Universe
    from tests.support.outside import Stub

END_OF_TIME = datetime(2100, 1, 1, tzinfo=UTC)
SAME = 1e-6  # a close of the wire is a 32-bit float


@dataclass(frozen=True, slots=True)
class Morning:
    """What a morning left behind: exit codes of its two halves, findings of fetch and checks, the decision."""

    update_exit: int
    day_exit: int
    findings: tuple[Finding, ...]
    answer: dict[str, Any]
    update_s: float


@dataclass(frozen=True, slots=True)
class Believed:
    """All that a store believes and what it set aside, whenever it could be known."""

    prices: pd.DataFrame
    actions: pd.DataFrame
    macro: pd.DataFrame
    quarantined: pd.DataFrame


def live_settings(folder: Path, stub: Stub, **keys: object) -> Settings:
    """The settings of a folder whose outside world is the stub."""
    return settings_in(folder, PORTFOLIO_SOURCE="live", **(stub.settings | keys))


def universe_with(folder: Path, *kept: str) -> Path:
    """Write the packaged universe with these of its lines and macro series only, and all of its drivers."""
    text = resources.files("portfolio").joinpath("universe.toml").read_text("utf-8")
    head, *parts = re.split(r"(?m)^(?=\[\[)", text)
    wanted = [part for part in parts if part.startswith("[[driver") or any(f'"{name}"' in part for name in kept)]
    path = folder / "universe.toml"
    path.write_text("".join([head, *wanted]), "utf-8")
    return path


def even_weights(universe: Universe) -> dict[str, dict[str, float]]:
    """Give every line the same share, and less of it the more stressed the regime is."""
    shares = {"CALM": 0.60, "NEUTRAL": 0.50, "STRESSED": 0.30}
    return {
        f"PORTFOLIO_WEIGHTS_{label}": dict.fromkeys(universe.tickers, share / len(universe.tickers)) | {CASH: 1 - share}
        for label, share in shares.items()
    }


def morning(settings: Settings, stub: Stub, instant: datetime) -> Morning:
    """Update and decide at an instant, which is the stub's too: the stages of `portfolio run`, but its page."""
    forget_yfinance()
    stub.at(instant)
    run = run_at(settings, instant)
    begun = perf_counter()
    try:
        batch, findings = fetch(run), ()
    except SourceError as error:
        batch, findings = None, (not_fetched(run, error),)
    with writing(run) as (store, ending):
        append_findings(store, run.run_id, findings)
        noticed, update_exit = findings, int(ExitCode.FAILED)
        if batch is not None:
            update = update_stage(store, run, batch, ending)
            noticed, findings, update_exit = update.noticed, update.checked.findings, int(ending.exit_code)
        update_s = perf_counter() - begun
        signal = signal_stage(store, run, ending, noticed)
        orders_stage(store, run, signal, ending)
    return Morning(update_exit, int(ending.exit_code), tuple(findings), signal.answer, update_s)


def believed(settings: Settings) -> Believed:
    """Read the published copy."""
    with open_reader(settings.store_path, "live") as store:
        known = Known(END_OF_TIME, newest_batch(store))
        return Believed(*(read(store, known) for read in (read_prices, read_actions, read_macro, read_quarantined)))


def truth_of(market: Path) -> pd.DataFrame:
    """Every unadjusted bar of a market's folder: symbol, observed_on, open, high, low, close, volume."""
    frames = [
        pd.read_csv(path, parse_dates=["date"]).assign(symbol=path.name.removesuffix(".csv"))
        for path in sorted((market / "prices").glob("*.csv"))
    ]
    return pd.concat(frames, ignore_index=True).rename(columns={"date": "observed_on"})


def true_actions_of(market: Path) -> set[tuple[str, str, str, float]]:
    """Every action of a market's folder: symbol, day, kind, value."""
    return {
        (path.name.removesuffix(".csv"), str(row.date), str(row.kind), float(str(row.value)))
        for path in sorted((market / "actions").glob("*.csv"))
        for row in pd.read_csv(path).itertuples()
    }


def actions_in(actions: pd.DataFrame) -> set[tuple[str, str, str, float]]:
    """Believed actions in the same form."""
    days = actions["observed_on"].dt.strftime("%Y-%m-%d")
    return set(zip(actions["symbol"], days, actions["kind"], actions["value"], strict=True))


def untrue(prices: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Believed rows whose close is not the true one of their day, or whose day is no day of the market."""
    closes = truth[["symbol", "observed_on", "close"]]
    both = prices.merge(closes, "left", ["symbol", "observed_on"], suffixes=("", "_true"))
    return both[~((both["close"] / both["close_true"] - 1).abs() <= SAME)]


def lacking(prices: pd.DataFrame, truth: pd.DataFrame, last: date) -> set[tuple[str, date]]:
    """Days of the market up to one, by symbol, of which nothing is believed; only of symbols that have any rows."""
    wanted = truth[truth["symbol"].isin(prices["symbol"]) & (truth["observed_on"] <= pd.Timestamp(last))]
    days = [set(zip(frame["symbol"], frame["observed_on"].dt.date.tolist(), strict=True)) for frame in (wanted, prices)]
    return days[0] - days[1]
