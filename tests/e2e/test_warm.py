"""`--warm`: what is loaded at deploy fits into its budget, and calls do not need it."""
import json
import subprocess
import time
import urllib.request

import pytest

from conftest import Platform

COUNT = 10
FUNCTION = """  F{n}:
    Type: AWS::Serverless::Function
    Properties: {{Runtime: nodejs22.x, Handler: index.handler, CodeUri: f{n}/, MemorySize: 256, Events: {{Get: {{Type: HttpApi, Properties: {{Path: /f{n}, Method: get}}}}}}}}
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    for n in range(COUNT):
        (folder / f"f{n}").mkdir(parents=True)
        (folder / f"f{n}/index.js").write_text(f"exports.handler = async () => 'f{n}';")
    (folder / "template.yaml").write_text("Transform: AWS::Serverless-2016-10-31\nResources:\n" + "".join(FUNCTION.format(n=n) for n in range(COUNT)))
    return folder


def loaded(platform, settled_for=1.5):
    """The number of environments, once it has not changed for a while."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < settled_for:
        now = json.load(urllib.request.urlopen(platform.url + "/_parvis/health"))["functions"]["workers"]
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)
    return last


@pytest.mark.parametrize("warm, least, most", [("off", 0, 0), ("60M", 1, 5), ("2G", COUNT, COUNT)])
def test_deploys_load_within_the_budget(binary, tmp_path, project, warm, least, most):
    platform = Platform(binary, tmp_path / "data", str(project), "--warm", warm)
    try:
        assert least <= loaded(platform) <= most
        if warm == "60M":
            platform.said(r"no more are at deploy \(--warm\)")
        for n in (0, COUNT - 1):
            assert urllib.request.urlopen(f"{platform.api(0)}/f{n}").read() == f"f{n}".encode()
    finally:
        platform.stop()


@pytest.mark.parametrize("size", ["", "0", "-1", "lots", "12Q", "99999999999999999999G"])
def test_a_size_that_is_none_is_refused(binary, tmp_path, size):
    done = subprocess.run([binary, "dev", "--empty", "--data-dir", str(tmp_path), f"--warm={size}"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "--warm" in done.stderr, done
