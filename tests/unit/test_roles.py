"""The roles' papers: every variable has a default, a spec and a row in the README; the specs say the true default."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import yaml

ANSIBLE = Path(__file__).parents[2] / "ansible"
ROLES = sorted(path.name for path in (ANSIBLE / "roles").iterdir())
STAGES = ("main", "preflight", "install", "configure", "run")
PARTS = (
    *("defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "handlers/main.yml", "README.md"),
    *(f"tasks/{name}.yml" for name in STAGES),
)


def read(role: str, part: str) -> dict:
    return yaml.safe_load((ANSIBLE / "roles" / role / part).read_text("utf-8"))


@pytest.mark.parametrize("role", ROLES)
def test_role_has_the_parts_that_each_has(role):
    assert [part for part in PARTS if not (ANSIBLE / "roles" / role / part).is_file()] == []


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_that_the_specs_tell(role):
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert read(role, "defaults/main.yml") == {name: option["default"] for name, option in options.items()}


@pytest.mark.parametrize("role", ROLES)
def test_readme_has_the_table_of_the_specs(role):
    readme = ANSIBLE / "roles" / role / "README.md"
    tables = runpy.run_path(str(ANSIBLE / "role_tables.py"))
    assert readme.read_text("utf-8") == tables["with_table"](readme), "run `make docs`"


def test_every_unit_is_installed_by_a_role():
    units = {path.name for path in (ANSIBLE.parent / "systemd").iterdir()}
    server = (ANSIBLE / "roles/prefect_server/tasks/configure.yml").read_text("utf-8")
    by_server = set(re.findall(r"^ +- (\S+\.(?:service|slice))$", server, re.MULTILINE))
    assert set(read("portfolio", "vars/main.yml")["portfolio_units"]) | by_server == units


def test_no_inventory_has_a_secret():
    for path in (ANSIBLE / "inventories").rglob("*.yml"):
        assert not re.search(
            r"^(portfolio_fred_api_key|portfolio_healthcheck_uuid):", path.read_text("utf-8"), re.MULTILINE
        ), path
