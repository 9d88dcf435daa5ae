"""Metrics as Prometheus scrapes them: true whatever was restarted, and whichever process did the work."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from portfolio.day.backup import backup_store
from portfolio.day.stages import run_day
from portfolio.status import ended_status, started_status, status_folder, write_status
from tests.support.command import document, portfolio
from tests.support.days import paris, run_at, settings_in
from tests.support.web import Web, serving

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio.status import Outcome

MORNING = "2001-06-18 07:30"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    not PROMTOOL, reason="promtool is not here (Debian: prometheus); the VPS test has it"
)


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a decision and a backup of it."""
    folder = tmp_path_factory.mktemp("decided")
    run_day(run_at(settings_in(folder), paris(MORNING)))
    backup_store(run_at(settings_in(folder), paris(MORNING), "backup"))
    return folder


@pytest.fixture
def folder(decided: Path, tmp_path: Path) -> Path:
    return shutil.copytree(decided, tmp_path / "user")


def leave(folder: Path, flow: str, outcome: Outcome, started_at: datetime) -> None:
    begun = started_status(flow, "run", None, started_at, "0.2.0")
    status = begun if outcome == "running" else ended_status(begun, outcome, started_at + timedelta(seconds=90), 0)
    write_status(status_folder(folder / "sample"), status)


def outcome_of(samples: dict[str, float], flow: str) -> list[str]:
    """The outcomes that a flow is said to have: one, or none when it never ran."""
    start = f'portfolio_flow_last_run_outcome{{flow="{flow}",outcome="'
    return [
        name.removeprefix(start).removesuffix('"}')
        for name, value in samples.items()
        if name.startswith(start) and value
    ]


def lasting(samples: dict[str, float]) -> dict[str, float]:
    """The samples that are of the daemon: those of the process and of the passing time left out."""
    return {name: value for name, value in samples.items() if not name.startswith(("process_", "portfolio_backup_age"))}


def check_metrics(web: Web) -> subprocess.CompletedProcess[bytes]:
    assert PROMTOOL
    return subprocess.run(
        [PROMTOOL, "check", "metrics"], input=web.get("/metrics").body, capture_output=True, check=False
    )


def test_metrics_tell_of_series_rows_findings_and_the_decision(folder):
    with serving(folder) as web:
        answer, samples = web.get("/metrics"), web.metrics()
        health = web.get("/api/v1/health").document
        signal = web.get("/api/v1/signal").document
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert samples['portfolio_series_newest_timestamp_seconds{exchange="XNYS",kind="driver",series="^GSPC"}'] == (
        datetime(2001, 6, 15, tzinfo=UTC).timestamp()
    )
    assert samples['portfolio_series_sessions_behind{exchange="XNYS",kind="driver",series="^GSPC"}'] == 0
    assert samples["portfolio_series_missing"] == sum(row["newest"] is None for row in health["series"])
    assert samples['portfolio_table_rows{table="out.signals"}'] == 1
    assert samples['portfolio_table_rows{table="raw.prices"}'] > 1000
    assert samples["portfolio_signal_session_timestamp_seconds"] == datetime(2001, 6, 18, tzinfo=UTC).timestamp()
    assert samples['portfolio_signal_decision{decision="TARGET"}'] == 1
    assert samples['portfolio_signal_decision{decision="HOLD"}'] == 0
    severities = [finding["severity"] for finding in signal["signal"]["data"]["findings"]]
    for severity in ("info", "warning", "error"):
        assert samples[f'portfolio_signal_findings{{severity="{severity}"}}'] == severities.count(severity)
    assert samples["portfolio_session_undecided"] == 0
    assert samples["portfolio_health_status"] == 0
    assert samples['portfolio_health_check_status{check="store"}'] == 0
    assert samples['portfolio_backups{state="whole"}'] == 1
    assert 0 < samples["portfolio_backup_age_seconds"] < 300
    assert samples['portfolio_release_info{commit="",slot="",version="0.1.0"}'] == 1
    assert samples["process_resident_memory_bytes"] > 0


def test_decision_is_refused_when_a_limit_refused_its_plan(folder):
    tighter = {"MIN_CASH_BUFFER": "0.60", "MAX_SINGLE_POSITION": "0.05", "MAX_LEVERAGED_EXPOSURE": "0.0"}
    again = portfolio(
        folder, "orders", "--as-of", "2001-06-18T07:30+02:00", settings={"DATA_DIR": str(folder), **tighter}
    )
    assert again.returncode == 4, again.stderr
    with serving(folder) as web:
        samples = web.metrics()
        assert web.get("/api/v1/signal").document["orders"]["weights_after"] is None
    assert samples['portfolio_signal_decision{decision="REFUSED"}'] == 1
    assert samples['portfolio_signal_decision{decision="TARGET"}'] == 0


def test_flow_s_last_success_outlasts_a_failure_and_a_restart(folder):
    began = datetime.now(UTC) - timedelta(hours=3)
    with serving(folder) as web:
        assert outcome_of(web.metrics(), "data-update") == []
        leave(folder, "data-update", "done", began)
        assert outcome_of(web.metrics(), "data-update") == ["done"]
        leave(folder, "data-update", "failed", began + timedelta(hours=1))
        leave(folder, "signal-generation", "hold", began)
        first = web.metrics()
    assert outcome_of(first, "data-update") == ["failed"]
    assert outcome_of(first, "signal-generation") == ["hold"]
    of = '{flow="data-update"}'
    assert first[f"portfolio_flow_last_run_timestamp_seconds{of}"] == pytest.approx(
        (began + timedelta(hours=1)).timestamp()
    )
    assert first[f"portfolio_flow_last_success_timestamp_seconds{of}"] == pytest.approx(began.timestamp() + 90)
    assert first[f"portfolio_flow_last_run_duration_seconds{of}"] == pytest.approx(90)
    assert first[f"portfolio_flow_max_age_seconds{of}"] > 72 * 3600  # a weekend is no alarm
    with serving(folder) as web:
        second = web.metrics()
    assert lasting(second) == lasting(first)


def test_flow_that_another_process_left_behind_is_told_as_interrupted(folder):
    script = (
        "import os, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from portfolio.status import started_status, write_status\n"
        "write_status(Path(sys.argv[1]), started_status('backup', 'r', None, datetime.now(UTC), '0.2.0')); os._exit(9)"
    )
    with serving(folder) as web:
        subprocess.run([sys.executable, "-c", script, status_folder(folder / "sample")], check=False)
        assert outcome_of(web.metrics(), "backup") == ["interrupted"]
        (status_folder(folder / "sample") / "backup.json").write_text("{")
        assert outcome_of(web.metrics(), "backup") == ["damaged"]


def test_work_of_another_process_is_in_the_next_scrape(folder):
    with serving(folder) as web:
        before = web.metrics()
        ended = portfolio(folder, "backup", settings={"DATA_DIR": str(folder), "PORTFOLIO_STARTS": "2"})
        assert ended.returncode == 0, ended.stderr
        after = web.metrics()
    assert (
        after['portfolio_table_rows{table="out.run_starts"}']
        == before['portfolio_table_rows{table="out.run_starts"}'] + 1
    )
    newest = "portfolio_backup_last_success_timestamp_seconds"
    assert after[newest] > before[newest]


def test_release_tool_s_history_is_told_across_restarts(folder):
    state = folder / "release-tool"
    state.mkdir()
    lines = [
        {"at": "2026-03-02T09:00:00+00:00", "verb": "switch", "outcome": "done", "step": "confirm"},
        {"at": "2026-03-03T09:00:00+00:00", "verb": "switch", "outcome": "rolled-back", "step": "prove"},
    ]
    (state / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    at = datetime(2026, 3, 3, 9, tzinfo=UTC).timestamp()
    for _ in range(2):
        with serving(folder, PORTFOLIO_RELEASE_STATE=str(state), PORTFOLIO_SLOT="green") as web:
            samples = web.metrics()
        assert samples["portfolio_release_last_switch_timestamp_seconds"] == at
        assert samples["portfolio_release_last_switch_success"] == 0
        assert samples["portfolio_release_rollbacks_total"] == 1
        assert samples["portfolio_release_last_rollback_timestamp_seconds"] == at
        assert samples['portfolio_release_info{commit="",slot="green",version="0.1.0"}'] == 1


def test_session_left_undecided_past_its_deadline_is_told(tmp_path):
    """The sample's clock stands at its newest fetch: here an hour and a half after the day's time."""
    settings = settings_in(tmp_path)
    run_day(run_at(settings, paris(MORNING)))
    ended = portfolio(tmp_path, "update", "--as-of", "2001-06-19T09:00+02:00", settings={"DATA_DIR": str(tmp_path)})
    assert ended.returncode == 0, ended.stderr
    with serving(tmp_path) as web:
        assert web.metrics()["portfolio_session_undecided"] == 1
        assert web.get("/api/v1/signal").document["overdue"] is True
        run_day(run_at(settings, paris("2001-06-19 08:59")))
        assert web.metrics()["portfolio_session_undecided"] == 0
    assert document(portfolio(tmp_path, "health", "--json", settings={"DATA_DIR": str(tmp_path)}))["status"]


@needs_promtool
def test_promtool_finds_nothing_to_say_about_a_scrape(folder, tmp_path):
    leave(folder, "data-update", "failed", datetime.now(UTC))
    with serving(folder) as web:
        ended = check_metrics(web)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, b"")
    with serving(tmp_path / "user" / "..", DATA_DIR=str(tmp_path / "nothing")) as web:
        ended = check_metrics(web)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, b"")
