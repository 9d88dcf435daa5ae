from __future__ import annotations

import time
from datetime import UTC, date, datetime
from importlib import resources
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from portfolio.errors import SourceError
from portfolio.findings import Severity
from portfolio.sessions import moment_at, sessions_between
from portfolio.sources.batch import MACRO_DTYPES, PRICE_DTYPES, RECONSTRUCTED
from portfolio.sources.checks import blocking, check_batch, check_known
from portfolio.sources.sample import LINES, PANEL_FILE, SAMPLE_LABELS, fetch_sample, read_panel, sample_clock
from portfolio.universe import Universe
from tests.unit.sources.tables import NO_PRICES, UNIVERSE

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.sources.batch import Batch

NEEDED = frozenset({"^GSPC", "^NDX", "WPEA.PA", "PE500.PA", "PUST.PA", "LQQ.PA", "CL2.PA"})


@pytest.fixture(scope="module")
def whole() -> Batch:
    return fetch_sample(UNIVERSE, sample_clock())


def newest(batch: Batch) -> dict[str, date]:
    return {str(symbol): day.date() for symbol, day in batch.prices.groupby("symbol")["observed_on"].max().items()}


def test_clock_stands_on_the_morning_after_the_last_common_session():
    clock = sample_clock()
    assert clock == datetime(2019, 1, 2, 6, 30, tzinfo=UTC)
    moment = moment_at(clock)
    assert (moment.session, moment.as_of) == (date(2019, 1, 2), date(2018, 12, 31))


def test_sample_holds_every_session_up_to_its_end(whole: Batch):
    counts = whole.prices.groupby("symbol").size()
    assert set(counts.index) == NEEDED
    for symbol in NEEDED:
        exchange = UNIVERSE.exchanges[symbol]
        assert counts[symbol] == len(sessions_between(exchange, date(1999, 1, 4), date(2018, 12, 31)))
    assert set(newest(whole).values()) == {date(2018, 12, 31)}


def test_sample_has_the_declared_columns_and_types(whole: Batch):
    assert {name: str(dtype) for name, dtype in whole.prices.dtypes.items()} == PRICE_DTYPES
    assert {name: str(dtype) for name, dtype in whole.macro.dtypes.items()} == MACRO_DTYPES
    assert whole.actions.empty
    assert whole.fetched_at == sample_clock()


def test_sample_keeps_the_real_closes_and_says_what_they_are(whole: Batch):
    last = whole.prices[whole.prices["observed_on"] == pd.Timestamp(2018, 12, 31)].set_index("symbol")
    assert (last["close"]["^GSPC"], last["close"]["^NDX"]) == (2506.85, 6635.279785)
    assert last["basis"].to_dict() == {"^GSPC": "observed", "^NDX": "stand-in"} | dict.fromkeys(LINES, "reconstructed")
    assert last["currency"].to_dict() == {"^GSPC": "USD", "^NDX": "USD"} | dict.fromkeys(LINES, "EUR")


def test_sample_has_closes_only(whole: Batch):
    for column in ("open", "high", "low"):
        assert whole.prices[column].equals(whole.prices["close"].rename(column))
    assert whole.prices["volume"].isna().all()


def test_every_series_has_a_label_and_reconstructed_ones_say_so(whole: Batch):
    delivered = {*whole.prices["symbol"], *whole.macro["series"]}
    assert delivered == set(SAMPLE_LABELS)
    for symbol in set(whole.prices.loc[whole.prices["basis"] == RECONSTRUCTED, "symbol"]):
        assert "reconstructed" in SAMPLE_LABELS[symbol]
        assert "no currency effect" in SAMPLE_LABELS[symbol]
    assert "stand-in" in SAMPLE_LABELS["^NDX"]


def test_leveraged_lines_move_about_twice_as_far(whole: Batch):
    closes = whole.prices.pivot_table(index="observed_on", columns="symbol", values="close")
    moves = closes[["PUST.PA", "LQQ.PA", "PE500.PA", "CL2.PA"]].pct_change(fill_method=None).std()
    assert moves["LQQ.PA"] / moves["PUST.PA"] == pytest.approx(2.0, abs=0.01)
    assert moves["CL2.PA"] / moves["PE500.PA"] == pytest.approx(2.0, abs=0.01)


def test_absent_series_are_findings(whole: Batch):
    assert [(item.severity, item.rule, item.subject) for item in whole.findings] == [
        (Severity.WARNING, "no-sample-series", "PAEEM.PA"),
        (Severity.INFO, "no-sample-series", "BAA10Y"),
    ]


def test_a_ticker_the_sample_does_not_know_is_a_finding_when_the_universe_has_it():
    other = UNIVERSE.instruments[0].model_copy(update={"ticker": "XYZ.PA"})
    batch = fetch_sample(Universe((other,), UNIVERSE.drivers, ()), sample_clock())
    assert [(item.severity, item.subject) for item in batch.findings] == [(Severity.WARNING, "XYZ.PA")]
    assert set(batch.prices["symbol"]) == {"^GSPC", "^NDX"}


def test_only_what_was_known_is_delivered_when_the_instant_is_earlier():
    before, after = (fetch_sample(UNIVERSE, datetime(2010, 6, 9, hour, 0, tzinfo=UTC)) for hour in (3, 4))
    # 06:00 in Paris is 04:00 UTC in June: the closes of the 8th appear, the VIX of the 7th follows with them
    assert set(newest(before).values()) == {date(2010, 6, 7)}
    assert set(newest(after).values()) == {date(2010, 6, 8)}
    assert before.macro["observed_on"].max() == pd.Timestamp(2010, 6, 4)
    assert after.macro["observed_on"].max() == pd.Timestamp(2010, 6, 7)
    assert (after.prices["available_at"] <= after.fetched_at).all()
    shared = after.prices[after.prices["observed_on"] <= pd.Timestamp(2010, 6, 7)].reset_index(drop=True)
    assert shared.equals(before.prices)


def test_rows_before_since_are_left_out():
    batch = fetch_sample(UNIVERSE, sample_clock(), since=date(2018, 12, 24))
    assert batch.prices["observed_on"].min() == pd.Timestamp(2018, 12, 24)
    assert batch.macro["observed_on"].min() == pd.Timestamp(2018, 12, 24)


def test_a_late_instant_gets_the_same_rows_and_a_stale_finding(whole: Batch):
    late = datetime(2019, 3, 1, 6, 30, tzinfo=UTC)
    batch = fetch_sample(UNIVERSE, moment_at(late))
    assert batch.fetched_at == late
    assert batch.prices.equals(whole.prices)
    checked = check_batch(batch, UNIVERSE, NO_PRICES)
    findings = check_known(checked.prices, checked.macro, checked.quarantined, UNIVERSE, moment_at(late), frozenset())
    assert {item.rule for item in blocking(findings, NEEDED)} == {"stale-series"}


@pytest.mark.parametrize("instant", [datetime(1999, 1, 4, 20, 0, tzinfo=UTC), datetime(1995, 1, 4, 20, 0, tzinfo=UTC)])
def test_fetch_is_refused_when_nothing_was_known_yet(instant: datetime):
    with pytest.raises(SourceError, match="from 1999-01-04 to 2018-12-31"):
        fetch_sample(UNIVERSE, instant)


def test_fetch_is_refused_when_the_instant_has_no_time_zone():
    with pytest.raises(SourceError, match="no time zone"):
        fetch_sample(UNIVERSE, datetime(2010, 1, 4, 8, 0))  # noqa: DTZ001  # the fault under test


def test_fetch_is_refused_when_the_universe_has_nothing_of_the_sample():
    other = UNIVERSE.instruments[0].model_copy(update={"ticker": "XYZ.PA"})
    with pytest.raises(SourceError, match="no series for any symbol"):
        fetch_sample(Universe((other,), (), ()), sample_clock())


def test_panel_is_refused_when_a_byte_is_wrong_or_it_is_missing(tmp_path: Path):
    content = bytearray(resources.files("portfolio.sources.sample_data").joinpath(PANEL_FILE).read_bytes())
    content[1000] ^= 1
    (tmp_path / PANEL_FILE).write_bytes(content)
    with pytest.raises(SourceError, match=r"damaged: SHA-256.*install the package again"):
        read_panel(tmp_path / PANEL_FILE)
    with pytest.raises(SourceError, match=r"cannot be read.*install the package again"):
        read_panel(tmp_path / "absent.csv.gz")


def test_packaged_data_is_small_and_has_its_origin_beside_it():
    files = list(resources.files("portfolio.sources.sample_data").iterdir())
    assert sum(len(file.read_bytes()) for file in files if file.is_file()) < 300_000
    origin = resources.files("portfolio.sources.sample_data").joinpath("ORIGIN.md").read_text()
    for word in (
        "skfolio (BSD-3)",
        "arch (NCSA)",
        "openbb-fred (Apache-2.0)",
        "S&P, Nasdaq and Cboe keep their rights",
    ):
        assert word in origin


def test_sample_passes_its_own_checks_whole(whole: Batch):
    checked = check_batch(whole, UNIVERSE, NO_PRICES)
    assert checked.quarantined.empty
    assert checked.prices.equals(whole.prices)
    assert checked.macro.equals(whole.macro)
    wanted = frozenset({"VIXCLS", "DGS10", "DGS2"})
    moment = moment_at(sample_clock())
    findings = check_known(checked.prices, checked.macro, checked.quarantined, UNIVERSE, moment, wanted)
    assert [(item.rule, item.subject, item.value) for item in findings] == [
        ("no-series", "PAEEM.PA", None),
        ("carried-forward", "^GSPC", "3"),  # pairs of equal closes in twenty years: a note
        ("carried-forward", "^NDX", "1"),
    ]
    assert blocking(findings, NEEDED) == ()


def test_the_whole_sample_again_is_checked_quickly_and_changes_nothing():
    batch = fetch_sample(UNIVERSE, sample_clock())
    known = check_batch(batch, UNIVERSE, NO_PRICES).prices
    started = time.process_time()
    again = check_batch(batch, UNIVERSE, known)
    assert time.process_time() - started < 1  # 0.13 s on an idle machine; the bound is for a busy one
    assert again.prices.equals(known)
    assert again.quarantined.empty


def test_fetch_and_check_are_quick():
    started = time.process_time()
    check_batch(fetch_sample(UNIVERSE, sample_clock()), UNIVERSE, NO_PRICES)
    assert time.process_time() - started < 3  # 0.5 s on an idle machine; the bound is for a busy one
