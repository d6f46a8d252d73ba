"""The files for systemd and launchd are valid, start what the project has, and are as strict as the guide says."""

from __future__ import annotations

import configparser
import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from core.errors import EXIT_ALREADY_RUNNING, EXIT_CONFIGURATION
from core.settings import PROJECT, Settings

UNIT: Final = PROJECT / "ops" / "systemd" / "crypto-forecasting.service"
MAX_EXPOSURE: Final = 14
"""Of systemd-analyze security, in tenths: 0 is a service without any rights, 100 one without any limits."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd's own tools")


@needs_systemd
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """With an interpreter that exists here, nothing in the file is unknown or wrong."""
    installed = "/opt/crypto-forecasting/.venv/bin/python"
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace(installed, f'"{sys.executable}"'), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=True)
    assert UNIT.name not in done.stderr


@needs_systemd
def test_the_exposure_is_what_the_guide_says() -> None:
    """The service has hardly more rights than it uses."""
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    guide = (PROJECT / "docs" / "operations.en.md").read_text(encoding="utf-8")
    assert f"**{MAX_EXPOSURE / 10}**" in guide


def test_the_unit_names_settings_and_exit_codes_that_exist() -> None:
    """Each variable is one of the settings; only what a person must mend is not tried again, all else for ever."""
    text = UNIT.read_text(encoding="utf-8")
    names = re.findall(r"^Environment=CRYPTO_(\w+)=", text, re.M)
    assert names
    assert {name.lower() for name in names} <= set(Settings.model_fields)
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(text)
    assert unit["Service"]["RestartPreventExitStatus"] == f"{EXIT_ALREADY_RUNNING} {EXIT_CONFIGURATION}"
    assert unit["Service"]["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


def test_launchd_can_read_its_file() -> None:
    """It starts run_all.py, keeps it running, and keeps its output where the suite rotates it."""
    with (PROJECT / "ops" / "launchd" / "crypto-forecasting.plist").open("rb") as file:
        agent = plistlib.load(file)
    assert (PROJECT / agent["ProgramArguments"][1]).is_file()
    assert agent["KeepAlive"] is agent["RunAtLoad"] is True
    assert {name.removeprefix("CRYPTO_").lower() for name in agent["EnvironmentVariables"]} <= set(
        Settings.model_fields
    )
