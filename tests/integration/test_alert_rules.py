"""The alert rules: promtool finds them whole and their stories true, and every metric they name is one of ours."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FILES = Path(__file__).parents[2] / "ansible" / "roles" / "monitoring" / "files"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    not PROMTOOL, reason="promtool is not here (Debian: prometheus); the VPS test has it"
)
OURS = re.compile(r"\bportfolio_[a-z_]+")
ALERT = re.compile(r"^ +- alert: (\w+)$", re.MULTILINE)
STORY = re.compile(r"^ +alertname: (\w+)$", re.MULTILINE)
EXPRESSION = re.compile(r"^ +expr: (.+)$", re.MULTILINE)


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL
    return subprocess.run([PROMTOOL, *words], cwd=FILES, capture_output=True, text=True, check=False, timeout=120)


@needs_promtool
def test_rules_are_whole_and_their_stories_true():
    checked = promtool("check", "rules", "portfolio.rules.yml")
    assert checked.returncode == 0, checked.stderr
    told = promtool("test", "rules", "portfolio.rules.test.yml")
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_rule_has_a_story_in_which_it_fires():
    rules = set(ALERT.findall((FILES / "portfolio.rules.yml").read_text("utf-8")))
    assert {"PortfolioNoDecision", "PortfolioFlowFailed", "PortfolioReleaseRolledBack"} <= rules
    assert set(STORY.findall((FILES / "portfolio.rules.test.yml").read_text("utf-8"))) == rules


def test_rules_ask_only_for_metrics_that_the_web_service_gives():
    """A misspelt name would be an alert that never fires."""
    asked = {
        name for expression in EXPRESSION.findall((FILES / "portfolio.rules.yml").read_text("utf-8"))
        for name in OURS.findall(expression)
    }  # fmt: skip
    documented = set(OURS.findall((FILES.parents[3] / "docs" / "WEB.md").read_text("utf-8")))
    assert asked
    assert asked <= documented
