"""What a person sees through `ssh -L`: Prefect's UI and our pages, each on the machine's loopback."""

from __future__ import annotations

import re

import pytest

from tests.support.machine.loopback import PREFECT, WEB, request
from tests.support.machine.shell import on


def test_prefects_ui_is_served_with_its_scripts(machine):
    page = request(machine, f"{PREFECT}/")
    assert page.status == 200
    assert '<div id="app"' in page.text or '<div id="root"' in page.text
    scripts = re.findall(r'src="([^"]+\.js)"', page.text)
    assert scripts
    assert {request(machine, f"{PREFECT}{script}").status for script in scripts} == {200}


def test_prefects_api_is_closed_without_its_password(machine):
    assert request(machine, f"{PREFECT}/api/health").status == 200
    assert request(machine, f"{PREFECT}/api/flows/filter", method="POST", document={}).status == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/signal", "/metrics", "/"])
def test_web_answers(machine, path):
    answer = request(machine, f"{WEB}{path}")
    assert answer.status == 200, answer.text[:500]


def test_health_is_told_with_its_checks(machine):
    answer = request(machine, f"{WEB}/api/v1/health")
    assert answer.status in (200, 503)
    assert answer.json()["checks"]


def test_page_needs_nothing_from_elsewhere(machine):
    page = request(machine, f"{WEB}/")
    assert re.findall(r'(?:src|href)="https?://', page.text) == []
    headers = {key.lower(): value for key, value in page.headers.items()}
    assert "default-src 'none'" in headers["content-security-policy"]


def test_web_names_release_and_slot_that_serve(machine):
    slot = on(machine, "basename $(readlink /opt/portfolio/current)").strip()
    version = on(machine, "basename $(readlink -f /opt/portfolio/current)").strip()
    line = next(
        line
        for line in request(machine, f"{WEB}/metrics").text.splitlines()
        if line.startswith("portfolio_release_info{")
    )
    assert f'version="{version}"' in line
    assert f'slot="{slot}"' in line
