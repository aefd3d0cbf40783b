"""`parvis transform` gives what aws-sam-translator gives, live, for each template of src/templates/sam/testdata."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("samtranslator")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from oracle import oracle  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("PARVIS", str(ROOT / "build" / "release" / "parvis"))


@pytest.mark.parametrize("source", sorted((ROOT / "src/templates/sam/testdata").glob("*.yaml")), ids=lambda path: path.stem)
def test_equals_the_oracle(source):
    ours = subprocess.run([BINARY, "transform", "--region", "us-east-1", str(source)], capture_output=True, text=True, timeout=30)
    assert ours.returncode == 0, ours.stderr
    assert json.loads(ours.stdout) == oracle(source.read_text())
