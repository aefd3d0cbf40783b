"""No operation without a conformance test: each name in operations.json is called somewhere in this folder."""
import json
import pathlib
import re

import pytest
from botocore import xform_name

HERE = pathlib.Path(__file__).resolve().parent
OPERATIONS = [name for model in json.loads((HERE.parents[2] / "src/services/dynamodb/operations.json").read_text()) for name in model["operations"]]
CALLED = set(re.findall(r"\b([a-z_]+)\b", "\n".join(path.read_text() for path in HERE.rglob("test_*.py") if path.name != "test_coverage.py")))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_has_a_test(operation):
    assert xform_name(operation) in CALLED, f"write a conformance test for {operation}"
