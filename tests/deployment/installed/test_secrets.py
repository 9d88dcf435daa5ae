"""Who can read a secret: root, and the one unit it was given to. Looked for wherever it could have leaked."""

from __future__ import annotations

import pytest

from tests.support.machine import long_flow
from tests.support.machine.releases import serving
from tests.support.machine.shell import attempt, on

FOLDER = "/etc/portfolio/credentials"
# A secret is looked for by patterns from a file, so that the search itself shows it to nobody.
PATTERNS = "/run/secret-patterns"


@pytest.fixture(scope="module")
def patterns(machine):
    """A file on the machine with one secret a line: what the credentials folder holds."""
    gather = (
        f"umask 077; {{ cut -d: -f2- {FOLDER}/prefect-auth; cat {FOLDER}/FRED_API_KEY {FOLDER}/HEALTHCHECK_UUID"
        f" 2>/dev/null; }} | tr -d '\\r' | awk 'length >= 8' > {PATTERNS}; wc -l < {PATTERNS}"
    )
    assert int(on(machine, gather)) >= 1
    yield PATTERNS
    on(machine, f"rm -f {PATTERNS}")


def test_secrets_files_are_closed_to_all_but_root(machine):
    seen = on(machine, f"find {FOLDER} -printf '%U:%G %m %y %f\\n'").splitlines()
    assert "0:0 700 d credentials" in seen
    assert {line.rsplit(" ", 2)[0] for line in seen if line.split()[2] == "f"} == {"0:0 600"}
    assert {"prefect-auth", "prefect-profiles.toml", "prefect-server-profiles.toml"} <= {
        line.split()[3] for line in seen
    }


def test_settings_are_readable_by_the_services_and_changed_by_root_only(machine):
    assert on(machine, "stat -c '%U:%G %a' /etc/portfolio/portfolio.toml").strip() == "root:portfolio 640"


def test_settings_hold_no_secret(machine, patterns):
    assert attempt(machine, f"grep -F -f {patterns} /etc/portfolio/portfolio.toml").stdout == ""


def test_secrets_stand_in_no_process_environment_or_arguments_while_a_flow_runs(machine, patterns):
    deployment = long_flow.place_flow(machine, serving(machine)[0])
    long_flow.begin(machine, deployment, 15, "secrets")
    files = "/proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    look = f"for f in {files}; do grep -qaF -f {patterns} $f 2>/dev/null && echo $f; done"
    # The search itself has the name of the patterns' file among its arguments, never a secret.
    assert attempt(machine, look).stdout == ""
    assert len(long_flow.lines(machine, "secrets")) == 1  # it was still at it


def test_secrets_stand_nowhere_in_the_journal(machine, patterns):
    assert attempt(machine, f"journalctl --no-pager -o export | grep -aF -f {patterns} | head -3").stdout == ""


def test_secrets_stand_in_no_file_that_others_can_read(machine, patterns):
    look = (
        "find / -xdev -path /var/cache/apt -prune -o -type f -perm -o+r -size -20M -print0"
        f" | xargs -0 grep -laF -f {patterns} | head -5"
    )
    assert attempt(machine, look, seconds=300).stdout == ""


def test_secrets_stand_in_nothing_that_the_web_service_can_read(machine, patterns):
    look = (
        "find /var/lib /var/cache /var/backups /srv /opt/portfolio /run /etc -xdev -type f -size -200M"
        f" \\( -perm -o+r -o -group portfolio -perm -g+r \\) ! -path {patterns} -print0 2>/dev/null"
        f" | xargs -0 grep -laF -f {patterns} | grep -v '^/var/cache/apt' | head -5"
    )
    assert attempt(machine, look, seconds=300).stdout == ""


@pytest.mark.parametrize("user", ["portfolio", "portfolio-web", "prefect", "nobody"])
def test_credentials_are_closed_to_the_services_users(machine, user):
    group = "nogroup" if user == "nobody" else user
    try_it = f"setpriv --reuid={user} --regid={group} --init-groups cat {FOLDER}/prefect-auth"
    assert attempt(machine, try_it).returncode != 0


def test_credentials_of_running_units_are_closed_to_other_users(machine):
    look = "find /run/credentials -type f -perm /077 -printf '%m %u %p\\n' 2>/dev/null"
    assert attempt(machine, look).stdout == ""
