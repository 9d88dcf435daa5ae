"""`portfolio serve` over real HTTP: what it answers, whatever was published and whoever asks."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portfolio.day.stages import run_day, update_stage, writing
from portfolio.errors import StoreError
from portfolio.health.published import Published
from portfolio.running import read_running
from portfolio.sources.sample import fetch_sample
from portfolio.store.connection import open_writer, published_path
from portfolio.store.publish import publish
from portfolio.universe import read_universe
from portfolio.web.reading import Reading
from tests.support.command import contents, document, environment, portfolio
from tests.support.days import paris, run_at, settings_in
from tests.support.web import Web, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portfolio.web.reading import Seen

MORNING = "2001-06-18 07:30"


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one decision, its plan and its page."""
    folder = tmp_path_factory.mktemp("decided")
    run_day(run_at(settings_in(folder), paris(MORNING)))
    return folder


@pytest.fixture(scope="module")
def web(decided: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A service on it, for tests that change nothing there."""
    with serving(tmp_path_factory.mktemp("web"), DATA_DIR=str(decided)) as running:
        yield running


@pytest.fixture
def folder(decided: Path, tmp_path: Path) -> Path:
    return shutil.copytree(decided, tmp_path / "user")


def published(folder: Path) -> Path:
    return published_path(settings_in(folder).store_path)


def test_probes_say_that_it_lives_and_that_it_is_ready(web):
    alive, ready = web.get("/healthz"), web.get("/readyz")
    assert (alive.status, alive.document) == (200, {"status": "alive", "release": "0.1.0", "slot": ""})
    assert (ready.status, ready.document) == (200, {"ready": True, "reasons": []})


def test_health_is_what_the_command_says(web, decided):
    answer = web.get("/api/v1/health")
    told = document(portfolio(decided, "health", "--json", settings={"DATA_DIR": str(decided)}))
    assert answer.status == 200
    assert answer.document.keys() == told.keys()
    assert answer.document["status"] == told["status"] == "HEALTHY"
    assert answer.document["series"] == told["series"]
    assert [check["check"] for check in answer.document["checks"]] == [check["check"] for check in told["checks"]]


def test_signal_is_the_logged_decision_with_its_weights_reasons_and_orders(web, decided):
    answer = web.get("/api/v1/signal")
    found = answer.document
    assert (answer.status, found["source"], found["session"], found["decision"]) == (
        200,
        "sample",
        "2001-06-18",
        "TARGET",
    )
    assert (found["sessions_behind"], found["overdue"]) == (0, False)
    replayed = portfolio(
        decided, "signal", "--replay", "--json", settings={"DATA_DIR": str(decided), "PORTFOLIO_STARTS": "2"}
    )
    assert found["signal"] == document(replayed)["logged"]
    assert sum(found["signal"]["weights"].values()) == pytest.approx(1)
    assert found["signal"]["reasons"]
    assert {order["side"] for order in found["orders"]["orders"]} == {"BUY"}
    assert found["orders"]["weights_after"]["CASH"] >= 0.1


def test_page_is_served_as_it_was_published_and_may_load_nothing(web, decided):
    answer = web.get("/")
    assert answer.status == 200
    assert answer.body == settings_in(decided).page_path.read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "server" not in answer.headers


def test_head_has_the_headers_of_get_and_no_body(web):
    for path in ("/", "/healthz", "/api/v1/signal", "/metrics"):
        answer = web.get(path, "HEAD")
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "//", 404),
        ("GET", "/healthz/", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/%00%ff", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "http://elsewhere.example/healthz", 421),
        ("POST", "/", 405),
        ("PUT", "/api/v1/signal", 405),
        ("DELETE", "/metrics", 405),
        ("OPTIONS", "*", 404),
        ("TRACE", "/healthz", 405),
        ("GET", "/api/v1/signal?" + "x" * 8000, 200),
    ],
)
def test_odd_request_is_refused_in_plain_words(web, method, path, status):
    answer = web.get(path, method)
    assert answer.status == status
    assert "Traceback" not in answer.text
    if status in {404, 405}:
        assert answer.document.keys() == {"error"}
        assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS, spoken to a plain port
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: elsewhere\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-Odd: " + b"y" * 2_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x00" * 100_000,
        b"GET /healthz?" + b"x" * 2_000_000,
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n\x00\x00 no request\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_4xx_and_the_service_goes_on(web, request_):
    try:
        answered = web.raw(request_)
    except OSError:  # hung up while we were still talking
        answered = b""
    assert b"HTTP/1.1 5" not in answered
    assert not answered or b"HTTP/1.1 4" in answered
    assert b"Traceback" not in answered
    assert web.get("/healthz").status == 200
    assert "Traceback" not in web.log.read_text("utf-8")


def test_name_that_is_not_this_machine_s_is_refused_so_that_no_foreign_page_can_read_it(web):
    assert web.get("/api/v1/signal", headers={"Host": "evil.example"}).status == 421
    assert web.get("/api/v1/signal", headers={"Host": "evil.example:8080"}).status == 421
    for name in ("localhost", "localhost:9999", "127.0.0.1:8080", "[::1]:8080", "[::1]"):
        assert web.get("/api/v1/signal", headers={"Host": name}).status == 200, name


def test_everything_says_what_is_missing_when_nothing_was_ever_run(tmp_path):
    with serving(tmp_path) as web:
        ready = web.get("/readyz")
        assert ready.status == 503
        assert [reason.split(":")[0] for reason in ready.document["reasons"]][1] == "There is no page yet"
        assert "There is no store" in ready.document["reasons"][0]
        assert web.get("/healthz").status == 200
        assert (web.get("/api/v1/health").status, web.get("/api/v1/health").document["status"]) == (503, "UNHEALTHY")
        assert web.get("/api/v1/signal").status == 503
        page = web.get("/")
        assert (page.status, "There is no page yet" in page.text) == (503, True)
        assert web.metrics()["portfolio_published_readable"] == 0
    assert not (tmp_path / "sample").exists()


def test_signal_is_404_when_prices_were_fetched_and_nothing_decided(tmp_path):
    run = run_at(settings_in(tmp_path), paris(MORNING), "update")
    with writing(run) as (store, ending):
        update_stage(store, run, fetch_sample(run.universe, run.moment), ending)
    with serving(tmp_path) as web:
        answer = web.get("/api/v1/signal")
        assert answer.status == 404
        assert "No session was ever decided" in answer.document["error"]


def test_new_decision_is_told_at_once_without_a_restart(folder):
    with serving(folder) as web:
        assert web.get("/api/v1/signal").document["session"] == "2001-06-18"
        first_page = web.get("/").body
        run_day(run_at(settings_in(folder), paris("2001-06-19 07:30")))
        assert web.get("/api/v1/signal").document["session"] == "2001-06-19"
        assert web.get("/").body == settings_in(folder).page_path.read_bytes() != first_page
        health = {check["check"]: check["seen"] for check in web.get("/api/v1/health").document["checks"]}
        assert health["signal"].startswith("TARGET for session 2001-06-19")


def test_copy_that_is_damaged_gives_503_with_the_reason_and_heals_when_it_is_published_again(folder):
    with serving(folder) as web:
        whole = published(folder).read_bytes()
        for damaged in (
            whole[: len(whole) // 2],
            b"",
            b"not a database at all",
            whole[:4096] + bytes(len(whole) - 4096),
        ):
            published(folder).write_bytes(damaged)
            answer = web.get("/api/v1/signal")
            assert (answer.status, "error" in answer.document) == (503, True)
            assert web.get("/readyz").status == 503
            assert web.metrics()["portfolio_published_readable"] == 0
            assert web.get("/").status == 200
        with open_writer(settings_in(folder).store_path, "sample") as store:
            publish(store)
        assert web.get("/api/v1/signal").status == 200
        assert web.get("/readyz").status == 200
    assert "Traceback" not in web.log.read_text("utf-8")


def test_look_sees_what_was_published_while_an_earlier_look_went_on(folder):
    settings = settings_in(folder)
    reading = Reading(settings, read_universe(), read_running(), lambda: paris(MORNING))

    async def looks() -> tuple[Seen, Seen]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        earlier = asyncio.create_task(reading.seen())
        await asyncio.sleep(0)  # it has asked for the copy to be read
        await asyncio.to_thread(published(folder).write_bytes, b"")  # by the same thread: as soon as it was
        return await earlier, await reading.seen()

    earlier, later = asyncio.run(looks())
    assert (isinstance(earlier.published, Published), isinstance(later.published, StoreError)) == (True, True)


def test_page_that_is_not_whole_is_not_served(folder):
    page = settings_in(folder).page_path
    page.write_bytes(page.read_bytes()[:-100])
    with serving(folder) as web:
        assert (web.get("/").status, "is not whole" in web.get("/").text) == (503, True)
        assert web.get("/readyz").document["reasons"] == [
            "The page index.html is not whole: `portfolio report` writes it again."
        ]


def test_requests_at_the_same_time_are_all_answered_while_the_copy_is_replaced_again_and_again(folder):
    paths = ("/", "/api/v1/signal", "/api/v1/health", "/metrics", "/readyz") * 12
    settings = settings_in(folder)
    with serving(folder) as web, ThreadPoolExecutor(8) as clients:
        answers = clients.map(lambda path: web.get(path).status, paths)
        for _ in range(10):
            with open_writer(settings.store_path, "sample") as store:  # no reader makes the writer wait
                publish(store)
        assert list(answers) == [200] * len(paths)


def test_service_writes_nothing_whatever_it_is_asked(folder):
    before = contents(folder / "sample")
    with serving(folder) as web:
        for path in ("/", "/healthz", "/readyz", "/api/v1/health", "/api/v1/signal", "/metrics", "/nothing"):
            web.get(path)
    assert contents(folder / "sample") == before
    assert sorted(path.name for path in folder.iterdir()) == ["sample", "serve.log"]


def test_service_answers_from_a_store_it_may_only_read(folder):
    for path in (folder / "sample", *(folder / "sample").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with serving(folder) as web:
            assert web.get("/api/v1/signal").status == 200
    finally:
        for path in (folder / "sample", *(folder / "sample").rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_memory_stays_where_it_was_however_often_it_is_asked(folder):
    with serving(folder) as web, ThreadPoolExecutor(4) as clients:
        list(clients.map(web.get, ("/", "/metrics", "/api/v1/health") * 30))
        before_mb = resident_mb(web)
        for _ in range(5):
            (published(folder)).touch()  # read anew, as after a publication
            list(clients.map(web.get, ("/", "/metrics", "/api/v1/signal", "/nothing") * 25))
        after_mb = resident_mb(web)
    assert before_mb < 160, before_mb
    assert after_mb - before_mb < 20, (before_mb, after_mb)


def resident_mb(web: Web) -> float:
    lines = Path(f"/proc/{web.process.pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def test_service_imports_nothing_heavy(folder):
    """Half the memory of a host goes to what is imported: neither pandas nor Prefect are needed to show an answer."""
    script = (
        "import runpy, signal, sys, threading, urllib.request\n"
        "import portfolio.web.listening as listening\n"
        "def ask(address):\n"
        "    for path in ('/', '/api/v1/health', '/api/v1/signal', '/metrics'):\n"
        "        urllib.request.urlopen(address + path, timeout=20).read()\n"
        "    print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "real = listening.listening_sockets\n"
        "def then_ask(settings):\n"
        "    sockets = real(settings)\n"
        "    threading.Timer(1, ask, [listening.address_of(sockets[0])]).start()\n"
        "    return sockets\n"
        "listening.listening_sockets = then_ask\n"
        "sys.argv = ['portfolio', 'serve']\n"
        "runpy.run_module('portfolio', run_name='__main__')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment(folder, {"DATA_DIR": str(folder), "PORTFOLIO_WEB_PORT": "0"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    modules = set(
        json.loads(next(line for line in ended.stderr.splitlines() if line.startswith("[")).replace("'", '"'))
    )
    assert {"duckdb", "fastapi", "uvicorn"} <= modules
    assert not modules & {"pandas", "numpy", "exchange_calendars", "prefect", "requests"}


def test_log_is_json_and_has_no_line_for_each_request(folder):
    with serving(folder) as web:
        for _ in range(5):
            web.get("/healthz")
    lines: list[dict[str, Any]] = [json.loads(line) for line in web.log.read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["serving", "stopped"]
    assert (lines[0]["release"], lines[1]["requests"]) == ("0.1.0", 5)


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"PORTFOLIO_WEB_PORT": "70000"}, 2, "PORTFOLIO_WEB_PORT"),
        ({"PORTFOLIO_WEB_HOST": "everywhere"}, 2, "must be an IP address of this machine"),
        ({"PORTFOLIO_WEB_HOST": "192.0.2.1"}, 1, "cannot be listened on"),
    ],
)
def test_start_is_refused_with_the_reason_when_the_address_cannot_be_had(tmp_path, settings, code, words):
    ended = portfolio(tmp_path, "serve", settings=settings)
    assert ended.returncode == code
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_start_is_refused_when_the_port_is_taken(web, tmp_path):
    port = web.url.rpartition(":")[2]
    ended = portfolio(tmp_path, "serve", settings={"PORTFOLIO_WEB_PORT": port})
    assert ended.returncode == 1
    assert f"127.0.0.1, port {port}, cannot be listened on" in ended.stderr
