"""Twenty-three trading weeks by the flows, unattended: holidays, two changes of the clocks, a dead host, kills, faults.

The market is the stub's; the mornings are those that the deployments' own schedules name.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

from flows.deployments import planned
from flows.names import BACKUP, DATA_UPDATE, SIGNAL_GENERATION
from portfolio.sessions import sessions_between
from portfolio.store.connection import open_reader
from portfolio.store.signals import read_signals
from portfolio.universe import read_universe
from tests.support.command import environment
from tests.support.days import settings_in
from tests.support.flow_forks import forking_flows
from tests.support.left import check_whole
from tests.support.live_days import universe_with
from tests.support.outside import Fault, market_of_sample, serving
from tests.support.prefect_server import prefect_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.support.flow_forks import Fork
    from tests.support.outside import Stub
    from tests.support.prefect_server import Prefect

PARIS = ZoneInfo("Europe/Paris")
FIRST, LAST = date(2017, 10, 23), date(2018, 3, 30)  # the clocks change on 29 October and on 25 March
DOWN = (date(2017, 12, 5), date(2017, 12, 7))  # Tuesday to Thursday; somebody starts the host on Thursday at two
BACK_AT = time(14, 0)
ALWAYS_TWICE_UNTIL = date(2017, 11, 3)
KILLED_SHARE = 0.1
# On these mornings something is wrong outside until eight: the second try of the morning finds it mended.
BAD_UNTIL_EIGHT = {
    date(2017, 11, 14): Fault("rate-limited"),
    date(2018, 1, 16): Fault("missing-tail"),
    date(2018, 2, 20): Fault("server-error"),
}
BAD_ALL_MORNING = {date(2018, 1, 25): Fault("nan-tail")}


@dataclass(slots=True)
class Host:
    """The machine of these weeks: Prefect, the outside, and a way to do what is due."""

    prefect: Prefect
    stub: Stub
    fork: Fork
    chance: random.Random
    happened: Counter[str] = field(default_factory=Counter)

    def at(self, instant: datetime, flow: str, **parameters: Any) -> None:
        """Do a scheduled run at its time, and all that follows from it; sometimes the power goes."""
        self.stub.at(instant)
        run = self.prefect.create(flow, as_of=instant.isoformat(), **parameters)
        if self.done(run):
            self.follow()

    def follow(self) -> None:
        """Do what waits, until nothing does."""
        while waiting := [*self.prefect.waiting(DATA_UPDATE), *self.prefect.waiting(SIGNAL_GENERATION)]:
            if not self.done(waiting[0]):
                return

    def done(self, run: str) -> bool:
        """Do a run; False when it was killed, and the host started again at once."""
        kill_after_s = self.chance.uniform(0, 2.5) if self.chance.random() < KILLED_SHARE else None
        if self.fork(kill_after_s, flow_run=run)[0] != -9:
            return True
        self.happened["killed"] += 1
        now = self.stub.world.now
        assert now is not None
        self.start(now)
        return False

    def start(self, instant: datetime) -> None:
        """Start as a machine does that comes back."""
        self.stub.at(instant)
        assert self.fork(as_of=instant.isoformat())[0] == 0
        self.follow()


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Host]]:
    folder = tmp_path_factory.mktemp("host")
    market = market_of_sample(tmp_path_factory.mktemp("market"), first=date(2015, 1, 2), last=date(2018, 4, 6))
    with prefect_server(tmp_path_factory.mktemp("prefect")) as prefect, serving(market) as stub:
        settings = {
            "DATA_DIR": str(folder / "data"),
            "PORTFOLIO_SOURCE": "live",
            "PORTFOLIO_STARTS": "2",
            "PORTFOLIO_UNIVERSE_FILE": str(universe_with(folder, *read_universe().tickers, "VIXCLS")),
            "HEALTHCHECK_UUID": "0f1e2d3c-0000-4000-8000-00000000beef",
        }
        with forking_flows(folder, environment(folder, settings | stub.settings | prefect.variables)) as fork:
            host = Host(prefect, stub, fork, random.Random(20171023))  # noqa: S311  # the same weeks on every machine
            host.start(datetime.combine(FIRST, time(6, 30), PARIS))
            live_through(host)
            yield folder, host


def live_through(host: Host) -> None:
    for instant, parameters in mornings():
        local = instant.astimezone(PARIS)
        if DOWN[0] <= local.date() <= DOWN[1]:
            if local.date() == DOWN[1] and not parameters:
                host.start(datetime.combine(DOWN[1], BACK_AT, PARIS))
            continue
        if parameters and local.date() > ALWAYS_TWICE_UNTIL and local.date() not in BAD_UNTIL_EIGHT:
            continue  # as in the weeks before, it would be skipped: the session has its target
        host.stub.clear()
        wrong = BAD_ALL_MORNING.get(local.date()) or (None if parameters else BAD_UNTIL_EIGHT.get(local.date()))
        if wrong:
            host.stub.inject(wrong)
        host.at(instant, DATA_UPDATE, **parameters)
        if local.isoweekday() == 5 and not parameters:
            host.done(host.prefect.create(BACKUP))


def mornings() -> list[tuple[datetime, dict[str, Any]]]:
    """Every run of `data-update` that its schedules name in these weeks, and its parameters, in their order."""
    found = []
    for schedule in planned(settings_in(Path()))[0].schedules:
        cron = CronSchedule.model_validate(schedule.schedule.model_dump())
        start, end = (datetime.combine(day, time(0), UTC) for day in (FIRST, LAST + timedelta(days=1)))
        found += [(instant, schedule.parameters) for instant in asyncio.run(cron.get_dates(1000, start, end))]
    return sorted(found, key=lambda one: one[0])


def test_schedule_names_each_weekday_twice_at_the_same_paris_times_over_both_changes_of_the_clocks():
    local = [instant.astimezone(PARIS) for instant, _ in mornings()]
    weekdays = [FIRST + timedelta(days=day) for day in range((LAST - FIRST).days + 1)]
    weekdays = [day for day in weekdays if day.isoweekday() <= 5]
    assert [f"{instant:%Y-%m-%d %H:%M}" for instant in local] == [
        f"{day} {clock}" for day in weekdays for clock in ("07:30", "08:15")
    ]
    assert len({instant.utcoffset() for instant in local}) == 2


def test_each_session_has_one_decision_or_a_hold_with_its_reason(weeks, capsys):
    folder, host = weeks
    with open_reader(folder / "data/live/portfolio.duckdb", "live") as store:
        check_whole(store)
        rows = read_signals(store)
    by_session = {session: [row for row in rows if row.session == session] for session in {row.session for row in rows}}
    assert sorted(by_session) == sessions_between("XPAR", FIRST, LAST)
    told = Counter()
    for session, revisions in by_session.items():
        *earlier, final = sorted(revisions, key=lambda row: row.revision or 0)
        assert all(row.decision == "HOLD" for row in earlier), f"{session} was decided twice"
        assert final.decision == "TARGET" or json.loads(final.answer)["reasons"], session
        told[final.decision] += 1
        told["first held, then decided"] += bool(earlier)
        told["made up"] += "made-up" in {item["rule"] for item in json.loads(final.answer)["data"]["findings"]}
    with capsys.disabled():
        print(f"\n{len(by_session)} sessions: {dict(told)}; {dict(host.happened)}")  # noqa: T201  # that it was hard
    assert {session for session, revisions in by_session.items() if len(revisions) > 1} == set(BAD_UNTIL_EIGHT)
    assert [by_session[day][-1].decision for day in BAD_ALL_MORNING] == ["HOLD"]
    assert told["made up"] == 3
    assert host.happened["killed"] >= 5


def test_days_without_session_were_skipped_and_nothing_still_runs(weeks):
    _, host = weeks
    skipped = [run["name"] for run in host.prefect.runs(DATA_UPDATE, "COMPLETED") if run["state_name"] == "Skipped"]
    assert {"data-update 2017-12-27 skipped", "data-update 2018-01-02 skipped"} <= set(skipped)
    assert not host.prefect.runs(DATA_UPDATE, "RUNNING", "PENDING")
    assert not host.prefect.runs(SIGNAL_GENERATION, "RUNNING", "PENDING")


def test_switch_was_told_of_every_morning(weeks):
    _, host = weeks
    days = {instant.astimezone(PARIS).date() for instant, _ in mornings()}
    pings = [asked.path for asked in host.stub.requests if asked.service == "ping"]
    assert len([path for path in pings if not path.endswith(("start", "fail"))]) >= len(days) - 3
