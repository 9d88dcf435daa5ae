"""What a worker hands on to its flows."""

from __future__ import annotations

import json
import subprocess
import sys

PROFILE = 'active = "p"\n\n[profiles.p]\nPREFECT_API_AUTH_STRING = "portfolio:s3cret"\n'
ASK = """
import json
from flows.worker import hide_password
from prefect.settings import get_current_settings
before = get_current_settings().to_environment_variables(exclude_unset=True)
hide_password()
settings = get_current_settings()
after = settings.to_environment_variables(exclude_unset=True)
print(json.dumps({"before": before, "after": after, "value": settings.api.auth_string.get_secret_value()}))
"""


def test_worker_knows_the_password_and_hands_on_only_where_it_is(tmp_path):
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(PROFILE, "utf-8")
    environment = {"PREFECT_PROFILES_PATH": str(profiles), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    asked = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    told = json.loads(asked.stdout)
    assert told["before"]["PREFECT_API_AUTH_STRING"] == "portfolio:s3cret"  # else there would be nothing to hide
    assert "PREFECT_API_AUTH_STRING" not in told["after"]
    assert told["after"]["PREFECT_PROFILES_PATH"] == str(profiles)
    assert told["value"] == "portfolio:s3cret"


def test_flows_of_a_worker_have_its_python_whatever_the_path_says(tmp_path):
    ask = "import subprocess, flows.worker as w; w.put_python_first(); subprocess.run(['python', '-c', %r])"
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", ask % "import sys; print(sys.prefix)"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == sys.prefix
