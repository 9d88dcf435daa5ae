"""What the running processes can write: tried from inside each one's own view of the file system."""

from __future__ import annotations

import pytest

from tests.support.machine.place import BACKUPS
from tests.support.machine.shell import attempt, on

# Unit, its user, and the only folders it can write; /tmp and /var/tmp are its own, not the machine's.
PRIVATE = {"/tmp", "/var/tmp", "/dev/shm"}  # noqa: S108  # the folders under test
UNITS = {
    "prefect-server": ("prefect", {"/var/lib/prefect"}),
    "portfolio-worker@{slot}": (
        "portfolio",
        {"/var/lib/portfolio", "/var/cache/portfolio", BACKUPS},
    ),
    "portfolio-web": ("portfolio-web", set()),
}
LOCKS = ("/var/lib/portfolio-release/lock", "/var/lib/portfolio/sample/portfolio.duckdb.lock")
# Tries to make a file in each folder down to the third level; says which let it.
TRY = (
    "find / -xdev -maxdepth 3 -type d ! -path '/proc/*' ! -path '/sys/*' 2>/dev/null; ls -d /dev/shm"
    " /opt/portfolio/releases/*/venv/bin /opt/portfolio/slots /var/lib/*/ /var/backups/*/ /srv/*/ /var/cache/*/"
    " 2>/dev/null"
)
WRITE = 'while read -r d; do f="$d/.write-try-$$"; ( : > "$f" ) 2>/dev/null && { echo "$d"; rm -f "$f"; }; done'


@pytest.fixture(scope="module")
def slot(machine):
    return on(machine, "basename $(readlink /opt/portfolio/current)").strip()


def main_process(machine, unit):
    pid = on(machine, f"systemctl show -P MainPID {unit}").strip()
    assert pid != "0", f"{unit} has no process"
    return pid


@pytest.mark.parametrize("name", UNITS)
def test_service_can_write_only_where_its_state_is(machine, slot, name):
    unit = name.format(slot=slot)
    user, allowed = UNITS[name]
    pid = main_process(machine, unit)
    groups = on(
        machine, f'awk \'/^Groups:/{{$1=""; gsub(/^ +| +$/,""); gsub(/ +/,","); print}}\' /proc/{pid}/status'
    ).strip()
    become = f"setpriv --reuid={user} --regid={user} " + (f"--groups={groups}" if groups else "--clear-groups")
    writable = on(
        machine, f'nsenter --target {pid} --mount -- {become} sh -c "({TRY}) | sort -u | ({WRITE})"'.replace("$", "\\$")
    )
    top = {path.rstrip("/") for path in writable.split()} - PRIVATE
    assert {path for path in top if not any(path == one or path.startswith(f"{one}/") for one in allowed)} == set()
    assert allowed <= top


@pytest.mark.parametrize("name", UNITS)
def test_service_has_no_capability_and_gains_none(machine, slot, name):
    pid = main_process(machine, name.format(slot=slot))
    status = dict(line.split(":\t", 1) for line in on(machine, f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"


@pytest.mark.parametrize("name", UNITS)
def test_service_runs_as_its_own_user(machine, slot, name):
    pid = main_process(machine, name.format(slot=slot))
    assert on(machine, f"stat -c %U /proc/{pid}").strip() == UNITS[name][0]


@pytest.mark.parametrize("name", UNITS)
def test_service_has_a_temporary_folder_of_its_own(machine, slot, name):
    pid = main_process(machine, name.format(slot=slot))
    on(machine, f"nsenter --target {pid} --mount -- touch /tmp/of-the-unit")
    assert attempt(machine, "test -e /tmp/of-the-unit").returncode == 1
    on(machine, f"nsenter --target {pid} --mount -- rm /tmp/of-the-unit")


@pytest.mark.parametrize("user", ["prefect", "portfolio", "portfolio-web"])
def test_user_of_a_service_cannot_log_in(machine, user):
    shell = on(machine, f"getent passwd {user}").strip().split(":")[-1]
    assert shell in {"/usr/sbin/nologin", "/bin/false"}
    assert on(machine, f"passwd --status {user}").split()[1] == "L"


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("user", ["prefect", "portfolio-web", "prometheus", "nobody"])
def test_lock_can_be_held_by_nobody_else(machine, lock, user):
    """Who holds one keeps everybody from going back, or from deciding."""
    on(machine, f"test -f {lock}")
    become = f"setpriv --reuid={user} --regid=$(id -g {user}) --init-groups"
    held = attempt(machine, f"{become} flock --nonblock {lock} true")
    assert (held.returncode != 0, "Permission denied" in held.stderr) == (True, True), held


def test_release_is_written_by_nobody_once_it_is_built(machine):
    found = on(
        machine, "find /opt/portfolio/releases -mindepth 1 ! -type l \\( -perm /022 -o ! -user root \\) | head -5"
    )
    assert found == ""
