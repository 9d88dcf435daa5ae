"""The units as systemd itself reads them, and what the project asks of each; needs no booted systemd."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from portfolio.release.worker import DRAIN_S

UNITS = Path(__file__).parents[2] / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
PACKAGED = Path("/usr/lib/systemd/system")  # targets and slices that ours refer to
EXPOSURE = 2.0
PROGRAM = re.compile(r"^Exec\w+=[+\-@!:]*(/\S+)", re.MULTILINE)
ONE_THREAD = ("OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1")
ENDS_FLOWS_AFTER = re.compile(r"^TimeoutStopSec=(\d+)$", re.MULTILINE)

ANALYZE = shutil.which("systemd-analyze") or ""
needs_systemd = pytest.mark.skipif(not ANALYZE, reason="no systemd-analyze here; it is Debian's package systemd")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False)


def text_of(unit: str) -> str:
    return (UNITS / unit).read_text("utf-8")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A root with systemd's own units, ours, and a program of each name that ours start."""
    shutil.copytree(PACKAGED, tmp_path / "usr/lib/systemd/system", symlinks=True)
    ours = shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    for unit in ours.iterdir():
        for program in PROGRAM.findall(unit.read_text("utf-8")):
            # `verify` gives a template the instance "i".
            there = tmp_path / program.replace("%i", "i").lstrip("/")
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy("/bin/true", there)
    return tmp_path


@needs_systemd
def test_units_are_what_systemd_understands(host):
    ours = [str(path) for path in sorted((host / "etc/systemd/system").iterdir())]
    ended = analyze("verify", f"--root={host}", *ours)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


@needs_systemd
def test_a_word_that_systemd_does_not_know_is_seen(host):
    unit = host / "etc/systemd/system/portfolio-web.service"
    unit.write_text(text_of(unit.name).replace("MemoryMax=", "MemoryMaximum="), "utf-8")
    assert "MemoryMaximum" in analyze("verify", f"--root={host}", str(unit)).stderr


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_unit_is_closed_but_for_what_it_needs(unit):
    told = analyze("security", "--offline=true", "--no-pager", str(UNITS / unit)).stdout
    exposure = re.search(r"Overall exposure level for \S+: (\d+\.\d)", told)
    assert exposure is not None, told
    assert float(exposure[1]) <= EXPOSURE


@pytest.mark.parametrize("unit", SERVICES)
def test_unit_says_why_before_each_thing_it_leaves_open(unit):
    """The sandbox of each unit begins with the list of what it leaves open, and why."""
    text = text_of(unit)
    assert "closed but what these lines leave open:" in text
    for family in re.findall(r"^RestrictAddressFamilies=(.+)$", text, re.MULTILINE)[0].split():
        assert re.search(rf"^#.*\b{family}\b", text, re.MULTILINE), f"{unit} leaves {family} open without a reason"


@pytest.mark.parametrize("unit", SERVICES)
def test_unit_has_no_secret_in_its_environment(unit):
    for line in re.findall(r"^Environment=(.+)$", text_of(unit), re.MULTILINE):
        assert not re.search(r"(KEY|UUID|PASSWORD|AUTH_STRING)=", line)


@pytest.mark.parametrize("unit", ["portfolio-worker@.service", "portfolio-web.service", "prefect-server.service"])
def test_service_is_bounded_and_calculates_on_one_thread(unit):
    text = text_of(unit)
    assert re.search(r"^MemoryMax=\d+M$", text, re.MULTILINE)
    assert all(setting in text for setting in ONE_THREAD)


def test_worker_is_given_longer_to_end_than_its_flows_are():
    stop_s = ENDS_FLOWS_AFTER.findall(text_of("portfolio-worker@.service"))
    assert int(stop_s[0]) > DRAIN_S


def test_services_fit_a_host_of_two_gigabytes():
    together = re.findall(r"^MemoryMax=(\d+)M$", text_of("portfolio.slice"), re.MULTILINE)
    assert int(together[0]) <= 1750  # the system, SSH and monitoring have the rest
