"""The deployment files are what their readers expect."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def test_gunicorn_takes_its_file(model_path, tmp_path):
    settings = tmp_path / "service.json"
    settings.write_text(json.dumps({"models": [str(model_path)], "data": str(tmp_path / "data")}))
    command = [sys.executable, "-m", "gunicorn", "--check-config", "-c", str(DEPLOY / "gunicorn.conf.py")]
    done = subprocess.run(
        command,
        env={**os.environ, "SANUM_SERVICE": str(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_gunicorn_says_what_is_missing(tmp_path):
    from sanum.core.errors import ConfigError
    from sanum.service.wsgi import application

    with pytest.raises(ConfigError, match="SANUM_SERVICE is not set"):
        application()


def test_compose_names_only_commands_that_exist():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name, verb in (("server", "serve"), ("worker", "worker")):
        command = services[name]["command"]
        assert command[0] == verb
        told = subprocess.run(
            [sys.executable, "-m", "sanum", verb, "--help"], capture_output=True, text=True, check=True
        )
        assert all(option in told.stdout for option in command if option.startswith("--"))
    assert services["server"]["ports"] == ["127.0.0.1:8417:8417"]


def test_systemd_understands_its_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = (DEPLOY / "sanum.service").read_text().replace("/opt/sanum/bin/sanum", "/bin/true")
    (tmp_path / "sanum.service").write_text(unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "sanum.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "sanum.service:" not in done.stderr
