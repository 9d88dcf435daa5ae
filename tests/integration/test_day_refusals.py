"""Refusals through the command: what is broken is named, with rule, value and what to do, and left as it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pytest

from portfolio.day.stages import run_day
from portfolio.store.connection import open_reader, published_path
from portfolio.store.journal import read_runs
from portfolio.store.migrate import create_store
from tests.support.command import COMMAND, contents, document, environment, portfolio
from tests.support.days import paris, run_at, settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE = "data/sample/portfolio.duckdb"
PUBLISHED = "data/sample/portfolio.published.duckdb"
SECRET = "5ecre7" * 5  # what must never be shown
MORNING = "2001-06-01 07:30"


@dataclass(frozen=True)
class Refusal:
    """How a refused command ended: nothing on stdout, the message alone at the end of stderr."""

    code: int
    message: str


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a day was done."""
    folder = tmp_path_factory.mktemp("used")
    run_day(run_at(settings_in(folder / "data"), paris(MORNING)))
    return folder


@pytest.fixture
def folder(used: Path, tmp_path: Path) -> Path:
    return shutil.copytree(used, tmp_path / "user")


def refused(folder: Path, *arguments: str, settings: dict[str, str] | None = None) -> Refusal:
    """Run a command that must refuse, without changing any file."""
    before = contents(folder)
    ended = portfolio(folder, *arguments, settings=settings)
    assert contents(folder) == before
    return refusal(ended, arguments[0])


def refusal(ended: subprocess.CompletedProcess[str], command: str) -> Refusal:
    head, found, message = ended.stderr.rpartition(f"portfolio {command}: ")
    assert found, ended
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert all(line.startswith("{") for line in head.splitlines())  # log lines
    assert SECRET not in ended.stderr
    return Refusal(ended.returncode, message)


def assert_told(found: Refusal, code: int, *told: str) -> None:
    assert found.code == code, found.message
    for words in told:
        assert words in found.message


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite_with_text(path: Path) -> None:
    path.write_text("These are not the bytes you are looking for.\n" * 500)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_bytes(path: Path) -> None:
    """Flip one bit in every block, as a failing disk would."""
    damaged = bytearray(path.read_bytes())
    for place in range(3 * 4096 + 1000, len(damaged), 65536):
        damaged[place] ^= 0x10
    path.write_bytes(damaged)


def flip_the_header(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[9] ^= 0x01
    path.write_bytes(damaged)


DAMAGES = [truncate, overwrite_with_text, empty, flip_bytes, flip_the_header]


@pytest.mark.parametrize("damage", DAMAGES)
def test_writing_command_refuses_a_store_that_is_damaged(folder, damage):
    damage(folder / STORE)
    found = refused(folder, "publish")
    assert_told(found, 1, str(folder / STORE), "cannot be used", "restore a backup", "left as it is")


@pytest.mark.parametrize("damage", DAMAGES)
def test_health_is_unhealthy_and_says_what_to_do_when_the_published_copy_is_damaged(folder, damage):
    damage(folder / PUBLISHED)
    assert_unhealthy(folder, str(folder / PUBLISHED), "portfolio publish")


def assert_unhealthy(folder: Path, *told: str) -> None:
    before = contents(folder)
    ended = portfolio(folder, "health", "--json")
    assert ended.returncode == 1
    assert document(ended)["status"] == "UNHEALTHY"
    check = document(ended)["checks"][0]
    assert (check["check"], check["status"]) == ("store", "UNHEALTHY")
    for words in told:
        assert words in check["seen"]
    assert contents(folder) == before


def test_whole_day_refuses_a_damaged_store_and_fits_or_writes_nothing(folder):
    truncate(folder / STORE)
    assert_told(refused(folder, "run", "--as-of", "2001-06-08"), 1, str(folder / STORE), "cannot be used")


def replace_by_another_programs(path: Path) -> None:
    path.unlink()
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup')")


def without_its_migrations(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("DELETE FROM core.migrations")


def with_a_migration_of_the_future(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("INSERT INTO core.migrations VALUES (99, 'future', 98, now(), '7.8.9')")


STRANGE = {
    "another program's": (replace_by_another_programs, ["another program", "core.meta", "left as it is"]),
    "of an older schema": (without_its_migrations, ["at schema 0", "works on schema 1", "Run: portfolio migrate"]),
    "of a newer schema": (with_a_migration_of_the_future, ["at schema 99", "7.8.9", "needs", "knows schema 98"]),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_writing_command_refuses_a_store_that_is(folder, strange):
    change, told = STRANGE[strange]
    change(folder / STORE)
    assert_told(refused(folder, "publish"), 1, str(folder / STORE), *told)


def test_whole_day_refuses_a_store_of_a_newer_schema(folder):
    change, told = STRANGE["of a newer schema"]
    change(folder / STORE)
    assert_told(refused(folder, "run", "--as-of", "2001-06-08"), 1, str(folder / STORE), *told)


@pytest.mark.parametrize("strange", STRANGE)
def test_health_is_unhealthy_and_says_what_to_do_when_the_published_copy_is(folder, strange):
    change, told = STRANGE[strange]
    change(folder / PUBLISHED)
    assert_unhealthy(folder, str(folder / PUBLISHED), *told[:2])


@pytest.mark.parametrize("strange", ["another program's", "of a newer schema"])
def test_migrate_refuses_a_store_that_is(folder, strange):
    change, told = STRANGE[strange]
    change(folder / STORE)
    assert_told(refused(folder, "migrate"), 1, str(folder / STORE), *told)


@pytest.mark.parametrize(("kind", "asked"), [("sample", "live"), ("live", "sample")])
def test_store_of_one_source_is_refused_for_the_other(tmp_path, kind, asked):
    create_store(tmp_path / "mine.duckdb", kind)
    settings = {"DUCKDB_FILE": "mine.duckdb"}
    found = refused(tmp_path, "publish", "--source", asked, settings=settings)
    assert_told(found, 1, f"holds {kind} data and {asked} data was asked for", f"--source {kind}", "DUCKDB_FILE")


def test_missing_store_is_told_by_the_commands_that_read(tmp_path):
    assert_told(refused(tmp_path, "report"), 1, "There is no store at", "portfolio run")
    assert_told(refused(tmp_path, "signal", "--replay"), 1, "There is no store at", "portfolio run")


SETTINGS = {
    "not a number": ("MAX_SINGLE_POSITION=nan", "MAX_SINGLE_POSITION", "finite", "'nan'"),
    "above one": ("MIN_CASH_BUFFER=1.2", "MIN_CASH_BUFFER", "less than or equal to 1", "'1.2'"),
    "below zero": ("INITIAL_CASH=-5", "INITIAL_CASH", "greater than or equal to 0", "'-5'"),
    "no word of ours": ("LOG_LEVEL=LOUD", "LOG_LEVEL", "'DEBUG', 'INFO'", "'LOUD'"),
    "an empty key": ("FRED_API_KEY=", "FRED_API_KEY", "must not be empty", "a secret"),
    "a blank value": ("DATA_DIR=  ", "DATA_DIR", "must not be empty", "take the line out"),
    "limits apart": (
        "MAX_SINGLE_POSITION=0.8\nMIN_CASH_BUFFER=0.3",
        *("MAX_SINGLE_POSITION (0.8)", "MIN_CASH_BUFFER (0.3)", "cannot both hold", "lower one"),
    ),
    "weights of 110 %": (
        'PORTFOLIO_WEIGHTS_CALM={"WPEA.PA": 0.4, "CASH": 0.7}',
        *("PORTFOLIO_WEIGHTS_CALM", "must sum to 1", "1.1"),
    ),
    "weights in prose": ("PORTFOLIO_WEIGHTS_CALM=all cash", "PORTFOLIO_WEIGHTS_CALM", "must be JSON", "'all cash'"),
    "no setting at all": (f"FRED_API_KEY={SECRET}\nFRED_API_KEY {SECRET}", ".env, line 2", "not KEY=value"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_are_refused_with_key_rule_and_value_when_the_file_has(tmp_path, case):
    text, *told = SETTINGS[case]
    (tmp_path / ".env").write_text(text + "\n")
    assert_told(refused(tmp_path, "config", "validate"), 2, *told)


def test_settings_are_refused_when_the_toml_file_cannot_be_read(tmp_path):
    (tmp_path / "portfolio.toml").write_text('LOG_LEVEL = "INFO\n')
    assert_told(refused(tmp_path, "config", "validate"), 2, "portfolio.toml cannot be understood", "line 1")


@pytest.mark.parametrize("command", ["run", "update", "signal", "orders", "report", "health", "migrate", "publish"])
def test_every_command_refuses_an_odd_setting_of_the_environment_before_it_makes_anything(tmp_path, command):
    found = refused(tmp_path, command, settings={"MAX_LEVERAGED_EXPOSURE": "30", "FRED_API_KEY": SECRET})
    assert_told(found, 2, "MAX_LEVERAGED_EXPOSURE", "less than or equal to 1", "'30'", "docs/ENVIRONMENT.md")


def test_unknown_key_warns_and_fails_only_when_strict(tmp_path):
    (tmp_path / ".env").write_text(f"PORTFOLIO_MOOD={SECRET}\n")
    assert_told(refused(tmp_path, "config", "validate", "--strict"), 2, "PORTFOLIO_MOOD", "does not know")
    lenient = portfolio(tmp_path, "config", "validate")
    assert lenient.returncode == 0
    assert "PORTFOLIO_MOOD" in lenient.stdout
    assert SECRET not in lenient.stdout + lenient.stderr


INSTRUMENT = """
[[instrument]]
ticker = "WPEA.PA"
isin = "IE0002XZSHO1"
name = "iShares MSCI World"
exchange = "XPAR"
currency = "EUR"
leverage = 1
role = "world"
pea_eligible = true
pea_source = "issuer"
pea_checked_on = 2025-01-02
"""
UNIVERSE = f"""
schema = 1
{INSTRUMENT}
[[driver]]
symbol = "^GSPC"
name = "S&P 500"
exchange = "XNYS"
currency = "USD"
"""
UNIVERSES = {
    "a wrong check digit": (UNIVERSE.replace("XZSHO1", "XZSHO2"), "isin", "check digit", "IE0002XZSHO2"),
    "a ticker twice": (UNIVERSE + INSTRUMENT, "WPEA.PA stands twice"),
    "a word unknown": (UNIVERSE.replace("leverage", "gearing"), "instrument.0.", "more)"),
    "another currency": (UNIVERSE.replace('"EUR"', '"GBP"'), "currency", "'EUR'", "'GBP'"),
    "no instrument": (UNIVERSE.replace(INSTRUMENT, ""), "instrument", "Field required"),
    "a newer schema": (UNIVERSE.replace("schema = 1", "schema = 2"), "schema", "seen 2"),
    "no TOML": ("ticker: WPEA.PA\n", "is not TOML", "packaged universe.toml"),
    "no UTF-8": (UNIVERSE.encode("utf-16"), "is not TOML", "packaged universe.toml"),
}


@pytest.mark.parametrize("case", UNIVERSES)
def test_universe_file_is_refused_with_place_rule_and_value_when_it_has(tmp_path, case):
    text, *told = UNIVERSES[case]
    (tmp_path / "mine.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = refused(tmp_path, "config", "validate", settings={"PORTFOLIO_UNIVERSE_FILE": "mine.toml"})
    assert_told(found, 2, "Universe file mine.toml", *told)


def test_universe_file_is_taken_when_it_is_right_and_refused_when_it_is_missing(tmp_path):
    (tmp_path / "mine.toml").write_text(UNIVERSE)
    tables = {
        f"PORTFOLIO_WEIGHTS_{label}": '{"WPEA.PA": 0.4, "CASH": 0.6}' for label in ("CALM", "NEUTRAL", "STRESSED")
    }
    mine = {"PORTFOLIO_UNIVERSE_FILE": "mine.toml"}
    assert portfolio(tmp_path, "config", "validate", settings=mine | tables).returncode == 0
    assert_told(
        refused(tmp_path, "config", "validate", settings=mine), 2, "PORTFOLIO_WEIGHTS_CALM", "not in the universe"
    )
    found = refused(tmp_path, "config", "validate", settings={"PORTFOLIO_UNIVERSE_FILE": "yours.toml"})
    assert_told(found, 2, "Universe file yours.toml cannot be read", "No such file", "PORTFOLIO_UNIVERSE_FILE")


HEADER = "date,kind,ticker,quantity,price_eur,fee_eur,amount_eur,note\n"
LEDGERS = {
    "a comma for a dot": (HEADER + '2001-05-02,deposit,,,,,"1000,50",\n', "line 2", "amount_eur", "1000,50"),
    "money it had not": (HEADER + "2001-05-02,buy,WPEA.PA,10,20,1,,\n", "Cash is -201.00 EUR", "2001-05-02", "deposit"),
    "columns of another": ("Datum;Art;Betrag\n", "line 1", "the first line must read date,kind", "';'"),
    "no text": (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not UTF-8", "save it as CSV"),
}


@pytest.mark.parametrize("case", LEDGERS)
def test_ledger_file_is_refused_whole_with_line_rule_and_value_when_it_has(folder, case):
    content, *told = LEDGERS[case]
    ledger = folder / "mine.csv"
    ledger.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = contents_but_the_stores(folder)
    ended = portfolio(folder, "ledger", "import", "mine.csv", "--as-of", "2001-06-01")
    assert_told(refusal(ended, "ledger"), 2, "mine.csv", *told)
    assert contents_but_the_stores(folder) == before
    with open_reader(folder / STORE, "sample") as store:
        assert store.connection.execute("SELECT count(*) FROM raw.ledger_entries").fetchall() == [(0,)]
        assert [run.outcome for run in read_runs(store)] == ["failed", "done"]


def contents_but_the_stores(folder: Path) -> dict[str, str]:
    """All files but the store and its copy, in which the try is journaled."""
    return {name: digest for name, digest in contents(folder).items() if name not in (STORE, PUBLISHED)}


def edit_a_number(model: Path) -> None:
    text = (model / "model.json").read_text()
    content = json.loads(text)
    content["transmat_"][0] = content["transmat_"][0][::-1]
    (model / "model.json").write_text(json.dumps(content))


def lose_the_manifest(model: Path) -> None:
    (model / "manifest.json").unlink()


def raise_the_schema(model: Path) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    (model / "manifest.json").write_text(json.dumps(manifest | {"schema": 2}))


def fill_with_prose(model: Path) -> None:
    (model / "model.json").write_text("calm mostly, sometimes stressed")


MODELS = {
    "was edited": (edit_a_number, "model.json", "checksum", "sha256"),
    "lost its manifest": (lose_the_manifest, "manifest.json", "readable file", "No such file"),
    "is of a newer schema": (raise_the_schema, "manifest.json", "schema 2", "newer release"),
    "is prose": (fill_with_prose, "model.json", "checksum"),
}


@pytest.mark.parametrize("case", MODELS)
def test_decision_refuses_a_champion_that(folder, case):
    damage, *told = MODELS[case]
    model = next((folder / "data/sample/models").iterdir())
    damage(model)
    before = contents_but_the_stores(folder)
    ended = portfolio(folder, "signal", "--as-of", "2001-06-04")
    assert_told(refusal(ended, "signal"), 1, str(model), *told)
    assert contents_but_the_stores(folder) == before


def test_page_is_left_as_it_was_when_the_model_of_its_decision_is_damaged(folder):
    model = next((folder / "data/sample/models").iterdir())
    lose_the_manifest(model)
    assert_told(refused(folder, "report"), 1, str(model), "manifest.json", "readable file")


def test_decision_refuses_an_override_that_is_missing_or_knows_the_future(folder):
    model = next((folder / "data/sample/models").iterdir())
    settings = {"HMM_MODEL_PATH": str(folder / "nowhere")}
    ended = portfolio(folder, "signal", "--as-of", "2001-06-01", settings=settings)
    assert_told(refusal(ended, "signal"), 1, str(folder / "nowhere"), "readable file", "mend HMM_MODEL_PATH")
    ended = portfolio(folder, "signal", "--as-of", "2001-05-15", settings={"HMM_MODEL_PATH": str(model)})
    assert_told(refusal(ended, "signal"), 1, str(model), "fitted up to 2001-05-31", "up to 2001-05-14 at most")


HOLDER = """
import sys
from pathlib import Path
from portfolio.store.lock import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the writer's lock until it is sent a line, or the block ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        env=environment(path.parent),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize("command", [("publish",), ("migrate",), ("signal",), ("run", "--as-of", "2001-06-08")])
def test_writer_gets_busy_at_once_and_is_told_who_writes_while_another_process_does(folder, command):
    with held(folder / STORE) as holder:
        assert_told(refused(folder, *command), 5, str(folder / STORE), f"process {holder.pid}", "--wait")


def test_writer_that_waits_gets_its_turn_when_the_other_has_ended(folder):
    with held(folder / STORE) as holder:
        assert_told(refused(folder, "publish", "--wait", "0.3"), 5, "after waiting 0.3 s")
        waiting = subprocess.Popen(
            [COMMAND, "publish", "--wait", "60"],
            cwd=folder,
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.communicate(timeout=1.5)
        holder.communicate("\n", timeout=30)
        out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, err) == (0, "")
    assert str(published_path(folder / STORE)) in out


def test_readers_are_served_while_another_process_writes(folder):
    with held(folder / STORE):
        assert portfolio(folder, "health").returncode == 0
        assert portfolio(folder, "signal", "--replay").returncode == 0


def test_writer_is_refused_while_another_program_has_the_file_open(folder):
    with duckdb.connect(folder / STORE):
        ended = portfolio(folder, "publish")
    assert_told(refusal(ended, "publish"), 5, str(folder / STORE), "open in another program", "Close that program")
