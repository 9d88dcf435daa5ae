"""The universe file: what is accepted, and what each refusal says."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.errors import ExitCode, UniverseError
from portfolio.universe import isin_check_digit_holds, read_universe

PACKAGED = resources.files("portfolio").joinpath("universe.toml").read_text("utf-8")


@pytest.mark.parametrize(
    "isin",
    ["IE0002XZSHO1", "FR0011871128", "FR0011871110", "FR0013412020", "FR0010342592", "FR0010755611", "US0378331005"],
)
def test_isin_holds_for_published_examples(isin):
    assert isin_check_digit_holds(isin)


@given(st.sampled_from(["IE0002XZSHO1", "US0378331005", "FR0011871128"]), st.integers(2, 11), st.randoms())
def test_isin_fails_when_one_digit_is_mistyped(isin, place, rnd):
    wrong = rnd.choice([digit for digit in "0123456789" if digit != isin[place]])
    mistyped = isin[:place] + wrong + isin[place + 1 :]
    # Luhn catches every single wrong digit; a letter's two digits can cancel out, so only digits are mistyped here.
    assert not isin[place].isdigit() or not isin_check_digit_holds(mistyped)


@pytest.mark.parametrize("text", ["", "FR001187112", "fr0011871128", "FR00118711\uff128", "FR001187112 8"])
def test_isin_fails_when_it_is_not_twelve_ascii_capitals_and_digits(text):
    assert not isin_check_digit_holds(text)


def test_packaged_universe_has_the_default_lines_with_leverage_and_eligibility():
    universe = read_universe()
    assert universe.tickers == ("WPEA.PA", "PE500.PA", "PUST.PA", "PAEEM.PA", "LQQ.PA", "CL2.PA")
    assert universe.leveraged == {"LQQ.PA", "CL2.PA"}
    assert [driver.symbol for driver in universe.drivers] == ["^GSPC", "^NDX"]
    assert all(item.pea_eligible and item.pea_source and item.pea_checked_on for item in universe.instruments)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("FR0011871128", "FR0011871129", "isin: Value error, 'FR0011871129' is not an ISIN"),
        ("leverage = 2", "leverage = 9", "leverage"),
        ('currency = "EUR"', 'currency = "USD"', "currency"),
        ("schema = 1", "schema = 2", "schema"),
        ("pea_eligible = true\n", "", "pea_eligible: Field required"),
        ('ticker = "PUST.PA"', 'ticker = "WPEA.PA"', "WPEA.PA stands twice"),
        ('ticker = "PUST.PA"', 'ticker = "CASH"', "CASH stands twice"),
        ("schema = 1", "schema = ", "is not TOML"),
        ("leverage = 1", "leverage = 1\nsurprise = 3", "surprise: Extra inputs are not permitted"),
    ],
)
def test_universe_is_refused_with_place_and_rule_when_a_line_is_odd(tmp_path, old, new, told):
    path = tmp_path / "mine.toml"
    path.write_text(PACKAGED.replace(old, new), "utf-8")
    with pytest.raises(UniverseError) as refusal:
        read_universe(path)
    assert told in str(refusal.value)
    assert "mine.toml" in str(refusal.value)
    assert refusal.value.exit_code == ExitCode.USAGE


def test_universe_is_refused_when_the_file_is_missing_or_binary(tmp_path):
    with pytest.raises(UniverseError, match="PORTFOLIO_UNIVERSE_FILE"):
        read_universe(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UniverseError, match="not TOML"):
        read_universe(tmp_path / "binary.toml")


def test_unknown_ticker_is_refused_with_the_known_ones():
    with pytest.raises(UniverseError, match=r"CW8.PA is not in the universe, which has WPEA.PA"):
        read_universe().instrument("CW8.PA")
