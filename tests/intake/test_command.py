"""`python -m meshproof.intake` as a person runs it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import httpx
import yaml

WITHOUT_KEY = {name: value for name, value in os.environ.items() if name != "DD_API_KEY"}


def command(*options):
    argv = [sys.executable, "-m", "meshproof.intake", *options]
    return subprocess.Popen(argv, env=WITHOUT_KEY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_mints_a_key_into_a_file_and_never_prints_it(tmp_path):
    pipelines = tmp_path / "pipelines.yaml"
    pipelines.write_text(yaml.safe_dump([{"name": "p", "processors": []}]))
    process = command("--port", "0", "--data", str(tmp_path / "data"), "--pipelines", str(pipelines))
    line = process.stdout.readline()
    address = line.split()[2].rstrip(",")
    file = tmp_path / "data/api-key"
    key = file.read_text()
    assert httpx.get(f"{address}/api/v1/logs/config/pipelines", headers={"DD-API-KEY": key}).json()[0]["name"] == "p"
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(key) == 32
    assert key not in line + rest + errors


def test_bad_input_is_one_error_and_exit_code_2(tmp_path):
    process = command("--port", "0", "--data", str(tmp_path), "--key-file", str(tmp_path / "missing"))
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert output == ""
    assert "the API key cannot be read" in errors
    assert "Traceback" not in errors
