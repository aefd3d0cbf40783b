"""docs/compatibility.md is the page that the manifests, rules and rows make; each type's rules speak of every property AWS has.

PARVIS_RULES names the program parvis_rules_probe.
"""
import glob
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOOLS = ROOT / "build/tools"
sys.path.insert(0, str(ROOT / "tools/compatibility"))
from schemas import Schemas  # noqa: E402

PROBE = os.environ.get("PARVIS_RULES")
OWN = {"AWS::Lambda::Function": {"Code.LocalDir"}}  # what `parvis dev` puts in place of an uploaded package


def only(pattern):
    found = glob.glob(str(TOOLS / pattern))
    assert len(found) == 1, f"{pattern}: run script/setup --test"
    return found[0]


SCHEMAS = "sam/lib/python3*/site-packages/cfnlint/data/schemas"


@pytest.fixture(scope="module")
def rules():
    if not PROBE:
        pytest.skip("PARVIS_RULES names no program")
    return json.loads(subprocess.run([PROBE], capture_output=True, check=True, timeout=60).stdout)


def test_the_page_is_what_script_compatibility_writes(rules, binary, tmp_path):
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    subprocess.run([sys.executable, str(ROOT / "tools/compatibility/compatibility.py"), "--rules", str(tmp_path / "rules.json"), "--parvis", binary,
                    "--out", str(tmp_path / "page.md"), "--botocore", only("models/lib/python3*/site-packages/botocore"), "--schemas", only(SCHEMAS),
                    "--sam-docs", only("test/lib/python3*/site-packages/samtranslator/internal/schema_source/sam-docs.json")], check=True, timeout=120)
    wanted, found = (tmp_path / "page.md").read_text(), (ROOT / "docs/compatibility.md").read_text()
    assert found == wanted, "docs/compatibility.md is not up to date: run script/compatibility and commit the page"


def test_rules_speak_of_every_property(rules):
    schemas, unspoken = Schemas(only(SCHEMAS)), {}
    for name, found in rules.items():
        missing = schemas.unspoken_of(name, found["rules"])
        if missing:
            unspoken[name] = missing
    assert unspoken == {}, "say of each what happens to it: kApplied, kNeutral, kWarned or kRefused with a note"


def test_rules_speak_of_nothing_else(rules):
    schemas = Schemas(only(SCHEMAS))
    for name, found in rules.items():
        properties = set(schemas.properties(name)) | OWN.get(name, set())
        strange = [rule["path"] for rule in found["rules"] if rule["path"].removesuffix("[]") not in properties]
        assert strange == [], f"{name} has no such properties"


def test_what_is_not_applied_says_why(rules):
    for name, found in rules.items():
        for rule in found["rules"]:
            assert rule["handling"] == "applied" or rule["note"], f"{name}: {rule['path']} is {rule['handling']} and does not say why"
