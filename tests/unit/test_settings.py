"""Settings: where a value comes from, and what an odd one stops the start with."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from portfolio.errors import ExitCode, SettingsError
from portfolio.regime.hmm import MINIMUM_ROWS
from portfolio.settings import SHORTEST_WINDOW, key_of, known_keys, read_settings, unknown_keys
from portfolio.settings_docs import ENV_EXAMPLE, ENVIRONMENT, env_example, environment_page

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Read the settings in a folder without files, in an environment without our keys."""
    monkeypatch.chdir(tmp_path)
    for key in [key for key in os.environ if key in known_keys() or key.startswith("PORTFOLIO_")]:
        monkeypatch.delenv(key)
    return tmp_path


def test_defaults_stand_when_nothing_is_set():
    settings = read_settings()
    assert (settings.max_single_position, settings.max_leveraged_exposure, settings.min_cash_buffer) == (0.4, 0.3, 0.1)
    assert settings.initial_cash == Decimal(10_000)
    assert settings.store_path == Path("data/sample/portfolio.duckdb").absolute()


def test_sources_are_ordered_command_line_environment_credentials_env_file_toml(empty_folder, monkeypatch):
    (empty_folder / "portfolio.toml").write_text(
        'LOG_LEVEL = "ERROR"\nPORTFOLIO_STATES = 3\n[PORTFOLIO_WEIGHTS_CALM]\nCASH = 1.0\n'
    )
    assert (read_settings().log_level, read_settings().weights_calm) == ("ERROR", {"CASH": 1.0})
    (empty_folder / ".env").write_text("LOG_LEVEL=WARNING\n")
    assert read_settings().log_level == "WARNING"
    credentials = empty_folder / "credentials"
    credentials.mkdir()
    (credentials / "LOG_LEVEL").write_text("INFO\n")
    (credentials / "FRED_API_KEY").write_text("from-a-credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert read_settings().log_level == "INFO"
    key = read_settings().fred_api_key
    assert key is not None
    assert key.get_secret_value() == "from-a-credential"
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert read_settings().log_level == "DEBUG"
    assert read_settings({"LOG_LEVEL": "ERROR"}).log_level == "ERROR"
    assert read_settings().states == 3


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("MAX_SINGLE_POSITION", "nan", "MAX_SINGLE_POSITION: Input should be a finite number; seen 'nan'"),
        ("MAX_SINGLE_POSITION", "1.2", "less than or equal to 1; seen '1.2'"),
        ("MAX_SINGLE_POSITION", "40 %", "valid number"),
        ("MIN_CASH_BUFFER", "-0.1", "greater than or equal to 0; seen '-0.1'"),
        ("MIN_CASH_BUFFER", "0.7", "MAX_SINGLE_POSITION (0.4) and MIN_CASH_BUFFER (0.7) cannot both hold"),
        ("MAX_LEVERAGED_EXPOSURE", "0.95", "MAX_LEVERAGED_EXPOSURE (0.95) and MIN_CASH_BUFFER (0.1) cannot both hold"),
        ("INITIAL_CASH", "Infinity", "INITIAL_CASH: Input should be a finite number"),
        ("INITIAL_CASH", "10.001", "2 decimal places"),
        ("INITIAL_CASH", "", "INITIAL_CASH: must not be empty"),
        ("PORTFOLIO_STATES", "4", "less than or equal to 3; seen '4'"),
        ("PORTFOLIO_FEATURES", "vix", "return_log_1d"),
        ("PORTFOLIO_FEATURES", "return_log_1d,return_log_1d", "each feature once"),
        ("PORTFOLIO_FEATURES", "return_log_1d,moon", "PORTFOLIO_FEATURES.1"),
        ("PORTFOLIO_WEIGHTS_CALM", '{"CASH": 0.9}', "must sum to 1 (CASH included); these weights sum to 0.900000"),
        ("PORTFOLIO_WEIGHTS_CALM", '{"CASH": NaN, "WPEA.PA": 1}', "PORTFOLIO_WEIGHTS_CALM.CASH"),
        ("PORTFOLIO_WEIGHTS_CALM", "{CASH: 1}", "PORTFOLIO_WEIGHTS_CALM must be JSON"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'; seen 'LOUD'"),
        ("HMM_MODEL_PATH", " ", "HMM_MODEL_PATH: must not be empty"),
        ("PORTFOLIO_WINDOW_SESSIONS", "5", "must be 0 (all) or at least 252 sessions"),
        ("PORTFOLIO_STARTS", "1", "must be 0 (the default number) or at least 2"),
        ("DUCKDB_FILE", "x/portfolio.published.duckdb", "no published copy"),
    ],
)
def test_start_stops_with_key_rule_and_value_when_a_setting_is_odd(monkeypatch, key, value, told):
    monkeypatch.setenv(key, value)
    with pytest.raises(SettingsError) as refusal:
        read_settings()
    assert told in str(refusal.value)
    assert refusal.value.exit_code == ExitCode.USAGE


def test_secret_is_never_in_a_message_when_it_is_odd(monkeypatch):
    monkeypatch.setenv("FRED_API_KEY", "   ")
    monkeypatch.setenv("PORTFOLIO_STATES", "9")
    with pytest.raises(SettingsError) as refusal:
        read_settings()
    assert "FRED_API_KEY: must not be empty" in str(refusal.value)
    assert "it is a secret" in str(refusal.value)
    assert "   '" not in str(refusal.value)


def test_every_odd_setting_is_told_at_once(monkeypatch):
    monkeypatch.setenv("PORTFOLIO_STATES", "9")
    monkeypatch.setenv("PORTFOLIO_BAND", "2")
    with pytest.raises(SettingsError, match=r"(?s)PORTFOLIO_STATES.*PORTFOLIO_BAND"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (".env", b"MAX_SINGLE_POSITION 0.5\n", ".env, line 1: not KEY=value"),
        (".env", b"LOG_LEVEL=INFO\nMAX_SINGLE_POSITION\n", ".env, line 2: not KEY=value"),
        (".env", b"LOG_LEVEL=\xff\n", ".env cannot be understood"),
        ("portfolio.toml", b"LOG_LEVEL = loud\n", "portfolio.toml cannot be understood"),
    ],
)
def test_settings_file_is_refused_when_a_line_would_be_skipped_silently(empty_folder, name, content, told):
    (empty_folder / name).write_bytes(content)
    with pytest.raises(SettingsError) as refusal:
        read_settings()
    assert told in str(refusal.value)


@pytest.mark.parametrize("name", [".env", "portfolio.toml"])
def test_settings_file_is_refused_when_it_is_a_folder_or_a_link_to_nothing(empty_folder, name):
    (empty_folder / name).mkdir()
    with pytest.raises(SettingsError, match="is not a file"):
        read_settings()
    (empty_folder / name).rmdir()
    (empty_folder / name).symlink_to(empty_folder / "nowhere")
    with pytest.raises(SettingsError, match="is not a file"):
        read_settings()


def test_shortest_window_is_what_a_fit_needs():
    assert SHORTEST_WINDOW == MINIMUM_ROWS  # the settings cannot import it: NumPy is too slow for `config`


def test_switch_is_refused_where_a_number_stands(empty_folder):
    (empty_folder / "portfolio.toml").write_text("MAX_SINGLE_POSITION = true\n")
    with pytest.raises(SettingsError, match="MAX_SINGLE_POSITION: must not be true or false"):
        read_settings()


def test_credentials_are_refused_when_they_cannot_be_read_as_text(empty_folder, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(empty_folder / "absent"))
    with pytest.raises(SettingsError, match=r"CREDENTIALS_DIRECTORY .* cannot be read"):
        read_settings()
    (empty_folder / "credentials").mkdir()
    (empty_folder / "credentials" / "FRED_API_KEY").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(empty_folder / "credentials"))
    with pytest.raises(SettingsError, match="not UTF-8 text"):
        read_settings()


def test_store_of_ones_own_has_models_and_page_of_its_own(empty_folder):
    mine = read_settings({"DUCKDB_FILE": empty_folder / "second.duckdb"})
    assert mine.store_path == empty_folder / "second.duckdb"
    assert mine.state_dir == empty_folder / "second"
    assert mine.state_dir != read_settings().state_dir


def test_unknown_keys_are_named_and_known_ones_are_not(empty_folder, monkeypatch):
    (empty_folder / ".env").write_text("LOG_LEVEL=INFO\nTYPO_LEVEL=INFO\n")
    (empty_folder / "portfolio.toml").write_text("PORTFOLIO_FUTURE = 1\n")
    monkeypatch.setenv("PORTFOLIO_STATES", "2")
    monkeypatch.setenv("PORTFOLIO_STATE", "2")
    assert unknown_keys() == ("PORTFOLIO_FUTURE", "PORTFOLIO_STATE", "TYPO_LEVEL")


def test_settings_pages_match_the_model():
    assert (ROOT / ENV_EXAMPLE).read_text("utf-8") == env_example(), "run `make docs`"
    assert (ROOT / ENVIRONMENT).read_text("utf-8") == environment_page(), "run `make docs`"


def test_env_example_gives_the_defaults_when_every_line_with_a_value_is_taken(empty_folder):
    lines = (ROOT / ENV_EXAMPLE).read_text("utf-8").splitlines()
    taken = [
        line[1:] for line in lines if line.startswith("#") and "=" in line and not line.endswith("=") and line[1] != " "
    ]
    assert len(taken) >= 20
    (empty_folder / ".env").write_text("\n".join(taken))
    assert read_settings() == read_settings({key_of("source"): "sample"})
    assert unknown_keys() == ()
