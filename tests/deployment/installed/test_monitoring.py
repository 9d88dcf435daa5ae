"""Prometheus really scrapes, and its own program finds metrics and rules sound."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.support.machine.loopback import request
from tests.support.machine.place import PROJECT
from tests.support.machine.shell import attempt, on

PROMETHEUS = "http://127.0.0.1:9090"
SCRAPED_S = 90


def query(machine, expression):
    answer = request(machine, f"{PROMETHEUS}/api/v1/query?query={expression}")
    return answer.json()["data"]["result"]


def test_metrics_are_well_formed_when_promtool_reads_a_scrape(machine):
    scrape = (
        "import sys, urllib.request as u; sys.stdout.write(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
    )
    ended = attempt(machine, f'python3 -c "{scrape}" | promtool check metrics')
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_configuration_and_rules_are_sound_when_promtool_reads_them(machine):
    on(machine, "promtool check config /etc/prometheus/prometheus.yml")


def test_alert_rules_tell_their_stories_when_promtool_of_the_machine_plays_them(machine):
    """The rules that are installed, with the stories of the repository."""
    stories = PROJECT / "ansible/roles/monitoring/files/portfolio.rules.test.yml"
    folder = Path(machine.root, "var/tmp/rules")
    folder.mkdir(exist_ok=True)
    shutil.copyfile(stories, folder / stories.name)
    on(machine, "cp /etc/prometheus/*.rules.yml /etc/prometheus/rules/*.yml /var/tmp/rules/ 2>/dev/null; true")
    assert (folder / "portfolio.rules.yml").exists()
    on(machine, f"cd /var/tmp/rules && promtool test rules {stories.name}", seconds=300)
    shutil.rmtree(folder)


def test_every_target_is_up(machine):
    until = time.monotonic() + SCRAPED_S
    while time.monotonic() < until:
        targets = request(machine, f"{PROMETHEUS}/api/v1/targets").json()["data"]["activeTargets"]
        if targets and all(target["health"] == "up" for target in targets):
            break
        time.sleep(3)
    assert {target["labels"]["job"]: target["health"] for target in targets if target["health"] != "up"} == {}
    assert len(targets) >= 2


def test_release_is_known_to_prometheus(machine):
    version = on(machine, "basename $(readlink -f /opt/portfolio/current)").strip()
    until = time.monotonic() + SCRAPED_S
    while time.monotonic() < until:
        found = query(machine, "portfolio_release_info")
        if found and found[0]["metric"]["version"] == version:
            break
        time.sleep(3)
    assert [item["metric"]["version"] for item in found] == [version]


def test_alert_rules_are_loaded(machine):
    groups = request(machine, f"{PROMETHEUS}/api/v1/rules").json()["data"]["groups"]
    assert len([rule for group in groups for rule in group["rules"] if rule["type"] == "alerting"]) >= 3
