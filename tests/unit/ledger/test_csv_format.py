from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.errors import ExitCode, LedgerError
from portfolio.ledger.csv_format import entries_csv, parse_entries, read_entries_csv
from portfolio.ledger.entries import KINDS, Entry, with_ids
from portfolio.ledger.positions import fold
from portfolio.universe import read_universe

TICKERS = ("WPEA.PA", "PE500.PA")
TODAY = date(2019, 1, 2)
HEADER = "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note"
DEPOSIT = "2018-01-02,deposit,,,,,1000.00,"
BUY = "2018-01-03,buy,WPEA.PA,10,5.4821,1.00,,first buy"
EXAMPLE = Path(__file__).parents[3] / "docs" / "ledger-example.csv"


def parsed(*lines, header=HEADER):
    return parse_entries("\n".join((header, *lines)), "my.csv", TICKERS, TODAY)


def refusal(*lines, header=HEADER):
    with pytest.raises(LedgerError) as refused:
        parsed(*lines, header=header)
    assert refused.value.exit_code == ExitCode.USAGE
    return str(refused.value)


def test_parse_entries_reads_every_column():
    deposit, buy = parsed(DEPOSIT, BUY)

    assert (deposit.booked_on, deposit.kind, deposit.amount) == (date(2018, 1, 2), "deposit", Decimal(1000))
    assert (buy.ticker, buy.quantity, buy.price, buy.fee, buy.note) == (
        "WPEA.PA",
        10,
        Decimal("5.4821"),
        Decimal(1),
        "first buy",
    )
    assert deposit.cash_flow_eur == Decimal("1000.00")
    assert buy.cash_flow_eur == Decimal("-55.82")  # 54.821 rounds to 54.82, and the fee


def test_parse_entries_takes_the_brokers_total_when_it_agrees_to_a_cent():
    (buy,) = parsed("2018-01-03,buy,WPEA.PA,10,5.4821,1.00,55.83,")
    (sell,) = parsed("2018-01-03,sell,WPEA.PA,10,5.4821,1.00,53.82,")

    assert buy.cash_flow_eur == Decimal("-55.83")
    assert sell.cash_flow_eur == Decimal("53.82")


def test_example_file_imports_and_folds_to_what_a_hand_reckons():
    universe = read_universe()

    entries = read_entries_csv(EXAMPLE, universe.tickers, TODAY)
    positions = fold(entries, Decimal(0))

    # 10000 - 2738.63 - 1658.25 - 917.02 + 12.40 + 360.19 - 5 + 500 - 200
    assert positions.cash_eur == Decimal("5353.69")
    assert positions.quantities == {"PE500.PA": 80, "PUST.PA": 60, "WPEA.PA": 400}
    assert positions.cost_eur == {
        "PE500.PA": Decimal("1326.60"),
        "PUST.PA": Decimal("917.02"),
        "WPEA.PA": Decimal("2738.63"),
    }
    assert positions.invested_eur == Decimal(10_300)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_read_entries_csv_accepts_byte_order_mark_windows_line_ends_and_blank_lines(tmp_path, newline, mark):
    path = tmp_path / "ledger.csv"
    path.write_bytes(mark + newline.join((HEADER, DEPOSIT, "", ",,,,,,,", BUY, "")).encode())

    assert read_entries_csv(path, TICKERS, TODAY) == parsed(DEPOSIT, BUY)


@pytest.mark.parametrize(
    ("line", "column", "seen"),
    [
        ("2018-1-3,deposit,,,,,10,", "date", "2018-1-3"),
        ("03/01/2018,deposit,,,,,10,", "date", "03/01/2018"),
        ("2018-02-30,deposit,,,,,10,", "date", "2018-02-30"),
        ("2019-01-03,deposit,,,,,10,", "date", "2019-01-03"),
        ("1018-01-03,deposit,,,,,10,", "date", "1018-01-03"),
        (",deposit,,,,,10,", "date", ""),
        ("2018-01-03,Deposit,,,,,10,", "kind", "Deposit"),
        ("2018-01-03,,,,,,10,", "kind", ""),
        ("2018-01-03,transfer,,,,,10,", "kind", "transfer"),
        ('2018-01-03,deposit,,,,,"10,50",', "amount_eur", "10,50"),
        ("2018-01-03,deposit,,,,,1 000.00,", "amount_eur", "1 000.00"),
        ('2018-01-03,deposit,,,,,"1,000.00",', "amount_eur", "1,000.00"),
        ("2018-01-03,deposit,,,,,-10,", "amount_eur", "-10"),
        ("2018-01-03,deposit,,,,,+10,", "amount_eur", "+10"),
        ("2018-01-03,deposit,,,,,0.00,", "amount_eur", "0.00"),
        ("2018-01-03,deposit,,,,,1e3,", "amount_eur", "1e3"),
        ("2018-01-03,deposit,,,,,NaN,", "amount_eur", "NaN"),
        ("2018-01-03,deposit,,,,,Infinity,", "amount_eur", "Infinity"),
        ("2018-01-03,deposit,,,,,10.001,", "amount_eur", "10.001"),
        ("2018-01-03,deposit,,,,,1234567890123,", "amount_eur", "1234567890123"),
        ("2018-01-03,deposit,,,,,١٢,", "amount_eur", "١٢"),
        ("2018-01-03,deposit,,,,,,", "amount_eur", ""),
        ("2018-01-03,deposit,WPEA.PA,,,,10,", "ticker", "WPEA.PA"),
        ("2018-01-03,deposit,,,,1.00,10,", "fee_eur", "1.00"),
        ("2018-01-03,buy,WPEA.PA,1.5,5,,,", "quantity", "1.5"),
        ("2018-01-03,buy,WPEA.PA,0,5,,,", "quantity", "0"),
        ("2018-01-03,buy,WPEA.PA,-1,5,,,", "quantity", "-1"),
        ("2018-01-03,buy,WPEA.PA,,5,,,", "quantity", ""),
        ("2018-01-03,buy,WPEA.PA,1,5.1234567,,,", "price_eur", "5.1234567"),
        ("2018-01-03,buy,WPEA.PA,1,0,,,", "price_eur", "0"),
        ("2018-01-03,buy,WPEA.PA,1,,,,", "price_eur", ""),
        ("2018-01-03,buy,WPEA.PA,1,5,-1,,", "fee_eur", "-1"),
        ("2018-01-03,buy,CW8.PA,1,5,,,", "ticker", "CW8.PA"),
        ("2018-01-03,buy,,1,5,,,", "ticker", ""),
        ("2018-01-03,buy,WPEA.PA,10,5.00,1.00,50.00,", "amount_eur", "50.00"),
        ("2018-01-03,sell,WPEA.PA,10,5.00,1.00,51.00,", "amount_eur", "51.00"),
        ("2018-01-03,dividend,,,,,10,", "ticker", ""),
        ("2018-01-03,fee,,1,,,10,", "quantity", "1"),
        ("2018-01-03,split,,50,,,,", "ticker", ""),
        ("2018-01-03,split,WPEA.PA,,,,,", "quantity", ""),
        ("2018-01-03,split,WPEA.PA,0,,,,", "quantity", "0"),
        ("2018-01-03,split,WPEA.PA,7.5,,,,", "quantity", "7.5"),
        ("2018-01-03,split,WPEA.PA,50,5.00,,,", "price_eur", "5.00"),
        ("2018-01-03,split,WPEA.PA,50,,0,,", "fee_eur", "0"),
        ("2018-01-03,split,WPEA.PA,50,,,1.00,", "amount_eur", "1.00"),
        (f"2018-01-03,fee,,,,,10,{'x' * 201}", "note", f"{'x' * 60}..."),
        ("2018-01-03,fee,,,,,10,a\x00b", "note", "a\\x00b"),
        ("2018-01-03,fee,,,,,10", "(all)", "7 columns: 2018-01-03,fee,,,,,10"),
        ("2018-01-03,fee,,,,,10,a,b", "(all)", "9 columns: 2018-01-03,fee,,,,,10,a,b"),
    ],
)
def test_parse_entries_names_line_column_and_value_when_a_cell_breaks_a_rule(line, column, seen):
    said = refusal(DEPOSIT, line)

    assert "Ledger file my.csv breaks" in said
    assert f"line 3, column {column}: " in said
    assert f"; seen '{seen}'" in said


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("2018-01-03,deposit,,,,,1000000000000,", "must be at most 999999999999; seen '1000000000000'"),
        ("2018-01-03,deposit,,,,,999999999999.01,", "must be at most 999999999999; seen '999999999999.01'"),
        ("2018-01-03,buy,WPEA.PA,1,1000000000000,,,", "must be at most 999999999999; seen '1000000000000'"),
        ("2018-01-03,buy,WPEA.PA,1000000000,5,,,", "must be at most 999999999; seen '1000000000'"),
        ("2019-01-03,deposit,,,,,10,", "nothing is booked after 2019-01-02, where this source's clock stands; seen"),
        ("1992-07-15,deposit,,,,,10,", "must be from 1992-07-16 on (no PEA before); seen"),
    ],
)
def test_parse_entries_quotes_the_bound_when_a_cell_is_beyond_it(line, rule):
    assert rule in refusal(line)


def test_parse_entries_takes_the_largest_numbers_the_store_holds():
    deposit, buy = parsed("2018-01-03,deposit,,,,,999999999999,", "2018-01-03,buy,WPEA.PA,000999999999,1,,,")

    assert (deposit.amount, buy.quantity) == (Decimal(999_999_999_999), 999_999_999)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "is empty: the first line must read date,kind,"),
        (HEADER.replace(",", ";"), "';' separates its columns, use a comma"),
        (HEADER.replace(",", "\t"), r"'\t' separates its columns, use a comma"),
        (HEADER.replace(",fee_eur", ""), "without fee_eur"),
        (f"{HEADER},colour", "with colour"),
        (HEADER.upper(), "without date, kind"),
        ("kind,date,ticker,quantity,price_eur,fee_eur,amount_eur,note", "seen 'kind,date"),
    ],
)
def test_parse_entries_says_what_the_header_must_be_when_it_is_another(header, said):
    assert said in refusal(header=header)


def test_parse_entries_lists_ten_problems_and_counts_the_rest():
    said = refusal(*["2018-01-03,deposit,,,,,x,"] * 13)

    assert "breaks 13 rule(s), nothing was imported" in said
    assert said.count("column amount_eur") == 10
    assert said.endswith("... and 3 more")


def test_parse_entries_reports_every_bad_cell_of_a_line():
    said = refusal("2018-13-03,buy,XX,1.5,5,,,")

    assert [column in said for column in ("column date", "column ticker", "column quantity")] == [True] * 3


def test_parse_entries_says_so_when_quotes_are_broken():
    assert "line 2: is not CSV" in refusal('2018-01-03,deposit,,,,,"10"x,note')


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (HEADER.encode("utf-16"), "is not UTF-8 (byte 0)"),
        (f"{HEADER}\n2018-01-02,fee,,,,,1,d\xe9p\xf4t".encode("latin-1"), "is not UTF-8"),
        (b"x" * 20_000_001, "is larger than 20 MB"),
    ],
)
def test_read_entries_csv_names_the_file_when_it_is_no_ledger(tmp_path, content, said):
    path = tmp_path / "ledger.csv"
    path.write_bytes(content)

    with pytest.raises(LedgerError) as refused:
        read_entries_csv(path, TICKERS, TODAY)

    assert str(path) in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_read_entries_csv_names_the_file_when_it_cannot_be_read(tmp_path, name):
    with pytest.raises(LedgerError, match="cannot be read"):
        read_entries_csv(tmp_path / name, TICKERS, TODAY)


def test_parse_entries_gives_nothing_when_there_is_only_a_header():
    assert parsed() == ()


def test_parse_entries_refuses_when_a_reference_stands_twice():
    said = refusal(f"{DEPOSIT},R1", "2018-01-05,deposit,,,,,2.00,,R1", header=f"{HEADER},reference")

    assert "line 3, column reference: must stand once in the file; seen 'R1'" in said


money = st.decimals("0.01", "999999.99", places=2)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F).filter(str.isprintable), max_size=20).map(
    str.strip
)


@st.composite
def any_entry(draw):
    kind = draw(st.sampled_from(KINDS))
    trade = kind in ("buy", "sell")
    lines = trade or kind == "split"
    reference = draw(texts)
    return Entry(
        booked_on=draw(st.dates(date(1993, 1, 1), TODAY)),
        kind=kind,
        ticker=draw(st.sampled_from(TICKERS)) if lines or kind == "dividend" else None,
        quantity=draw(st.integers(1, 10_000)) if lines else None,
        price=draw(st.decimals("0.000001", "99999", places=6)) if trade else None,
        fee=draw(money) if trade else Decimal(0),
        amount=None if lines else draw(money),
        note=draw(texts),
        entry_id=f"reference:{reference}" if reference else "",
    )


@given(st.lists(any_entry(), max_size=8, unique_by=lambda entry: entry.entry_id or id(entry)))
@settings(deadline=None)
def test_entries_csv_imports_to_the_same_entries(entries):
    named = with_ids(entries)

    assert parse_entries(entries_csv(named), "export.csv", TICKERS, TODAY) == named
