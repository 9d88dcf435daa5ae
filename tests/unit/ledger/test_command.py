"""`portfolio ledger` as a user runs it: options before the file, mended files, a day in the past."""

import pytest

from portfolio.cli import main
from tests.support.command import document, portfolio

HEADER = "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note\n"
DEPOSIT = "2018-01-02,deposit,,,,,10000.00,\n"
BUY = "2018-01-03,buy,WPEA.PA,100,5.12,1.00,,\n"
LATER = "2018-03-05,buy,WPEA.PA,10,5.20,1.00,,\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store whose ledger had DEPOSIT, BUY and LATER imported."""
    folder = tmp_path_factory.mktemp("ledger")
    ended = imported(folder, DEPOSIT, BUY, LATER)
    assert document(ended) == {"read": 3, "new": 3, "absent": []}
    return folder


def imported(folder, *lines, options=("--json", "--source", "sample")):
    """Import a file of these lines, the options before the file."""
    (folder / "my.csv").write_text(HEADER + "".join(lines))
    return portfolio(folder, "ledger", "import", *options, "my.csv")


def test_import_adds_nothing_when_only_the_brokers_total_was_added(folder):
    ended = imported(folder, DEPOSIT, BUY.replace(",,\n", ",513.00,\n"), LATER)

    assert document(ended) == {"read": 3, "new": 0, "absent": []}


def test_import_names_what_still_counts_when_a_line_is_gone(folder):
    words = imported(folder, LATER, options=())
    parsed = document(imported(folder, DEPOSIT, LATER))

    assert words.returncode == 0
    assert (
        "2 booked entries are not in this file and still count; the first: 2018-01-02 deposit 10000.00 EUR. "
        in words.stdout
    )
    assert parsed == {
        "read": 2,
        "new": 0,
        "absent": [
            {
                "date": "2018-01-03",
                "kind": "buy",
                "ticker": "WPEA.PA",
                "quantity": 100,
                "price_eur": "5.120000",
                "fee_eur": "1.00",
                "cash_flow_eur": "-513.00",
                "note": "",
            }
        ],
    }


def test_import_names_what_still_counts_when_the_mended_ledger_could_not_be_true(folder):
    ended = imported(folder, DEPOSIT, BUY.replace(",100,", ",1900,"), LATER)

    assert ended.returncode == 2
    assert "Cash is -242.00 EUR at the end of 2018-01-03" in ended.stderr  # 10000 - 513 - 9729
    assert "1 booked entry is not in this file and still counts: 2018-01-03 buy 100 WPEA.PA at 5.12." in ended.stderr


def test_import_says_where_the_clock_stands_when_a_line_is_later(folder):
    ended = imported(folder, DEPOSIT, BUY.replace("2018-01-03", "2019-06-03"))

    assert ended.returncode == 2
    assert "nothing is booked after 2019-01-02, where this source's clock stands; seen '2019-06-03'" in ended.stderr


def test_show_lists_only_what_was_booked_up_to_the_day_when_one_is_given(folder):
    words = portfolio(folder, "ledger", "show", "--as-of", "2018-02-01").stdout
    parsed = document(portfolio(folder, "ledger", "--as-of", "2018-02-01", "show", "--json"))

    assert words.startswith("Ledger as of 2018-02-01\n2018-01-02  deposit")
    assert "2018-03-05" not in words
    assert parsed["as_of"] == "2018-02-01"
    assert [entry["date"] for entry in parsed["entries"]] == ["2018-01-02", "2018-01-03"]
    assert parsed["positions"] == {"WPEA.PA": {"quantity": 100, "cost_eur": "513.00"}}
    assert parsed["cash_eur"] == "9487.00"


def test_show_says_that_nothing_is_booked_when_the_day_is_before_the_first_entry(folder):
    told = portfolio(folder, "ledger", "show", "--as-of", "2018-01-01").stdout

    assert told.startswith(
        "Ledger as of 2018-01-01\nNothing is booked up to 2018-01-01: the account starts from INITIAL_CASH.\n"
    )


def test_show_writes_a_file_of_the_entries_up_to_the_day(folder):
    told = portfolio(folder, "ledger", "show", "--csv", "--as-of", "2018-01-02").stdout

    assert told == f"{HEADER.strip()},reference\n2018-01-02,deposit,,,,,10000,,\n"


@pytest.mark.parametrize("words", [("--json", "import"), ("import",), ("show", "my.csv")])
def test_ledger_refuses_a_missing_or_needless_file_wherever_the_options_stand(words, capsys):
    assert main(["ledger", *words]) == 2
    assert "`ledger import` takes one file" in capsys.readouterr().err
