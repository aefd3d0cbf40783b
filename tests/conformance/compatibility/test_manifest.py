"""The language of manifest.json, by rows: what modelgen takes, and what stops the build."""
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools/modelgen"))
from manifest import Manifest, expand  # noqa: E402


class Model:
    """Create takes Name, Flag, Tags[].{Key,Value} and Map{}.Size; Delete takes Name."""
    name, operations, overrides = "toy", ["Create", "Delete"], {}
    shapes = {"Text": {"type": "string"}, "Flag": {"type": "boolean"},
              "Tag": {"type": "structure", "members": {"Key": {"shape": "Text"}, "Value": {"shape": "Text"}}},
              "Tags": {"type": "list", "member": {"shape": "Tag"}},
              "Size": {"type": "structure", "members": {"Size": {"shape": "Text"}}},
              "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Size"}},
              "CreateInput": {"type": "structure", "members": {"Name": {"shape": "Text"}, "Flag": {"shape": "Flag"}, "Tags": {"shape": "Tags"},
                                                               "Map": {"shape": "Map"}}},
              "DeleteInput": {"type": "structure", "members": {"Name": {"shape": "Text"}}}}
    json = {"operations": {"Create": {"input": {"shape": "CreateInput"}}, "Delete": {"input": {"shape": "DeleteInput"}}}}


def read(tmp_path, every=None, **operations):
    (tmp_path / "manifest.json").write_text(json.dumps({"toy": {"every": every or {}, "operations": operations}}))
    return Manifest(Model, str(tmp_path / "operations.json"))


WHOLE = ["Name", "Flag", "Tags[].{Key,Value}", "Map{}.Size"]


@pytest.mark.parametrize("path, paths", [
    ("A", ["A"]), ("A.{B,C}", ["A.B", "A.C"]), ("{A,B[].{C,D}}.E", ["A.E", "B[].C.E", "B[].D.E"]), ("A{}.B", ["A{}.B"]),
    ("A{}.{B,C{}.{D,E}}", ["A{}.B", "A{}.C{}.D", "A{}.C{}.E"])])
def test_braces_stand_for_several(path, paths):
    assert expand(path) == paths


def test_an_open_brace_is_no_path():
    with pytest.raises(ValueError, match="open brace"):
        expand("A.{B,C")


PROBLEMS = [
    ("nothing", {}, {}, ["toy.Create: the input member 'Name' has no entry", "toy.Delete: the input member 'Name' has no entry"]),
    ("part_of_a_structure", {"applied": ["Name", "Flag", "Tags[].Key", "Map{}.Size"]}, {}, ["'Tags[].Value' has no entry"]),
    ("no_such_member", {"applied": WHOLE}, {"Delete": {"neutral": ["Flag"]}}, ["toy.Delete has no input member 'Flag'"]),
    ("no_such_member_anywhere", {"applied": [*WHOLE, "Turbo"]}, {}, ["the entry 'Turbo' under 'every' names no member"]),
    ("no_such_operation", {"applied": WHOLE}, {"Update": {"applied": ["Name"]}}, ["toy.Update has an entry but is not listed"]),
    ("twice", {"applied": WHOLE, "neutral": ["Flag"]}, {}, ["'Flag' has two entries"]),
    ("one_value_only", {"applied": ["Name", "Tags[].{Key,Value}", "Map{}.Size"], "neutral": ["Flag=false"]}, {},
     ["'Flag=false' has an entry, the other values of 'Flag' have none", "the input member 'Flag' has no entry"]),
]


@pytest.mark.parametrize("every, operations, parts", [r[1:] for r in PROBLEMS], ids=[r[0] for r in PROBLEMS])
def test_what_stops_the_build(tmp_path, every, operations, parts):
    problems = "\n".join(read(tmp_path, every, **operations).problems)
    for part in parts:
        assert part in problems


@pytest.mark.parametrize("every", [{"refused": ["Name"]}, {"refused_in_code": ["Name"]}, {"maybe": {"Name": ""}}])
def test_a_disposition_is_known_and_says_why(tmp_path, every):
    with pytest.raises(ValueError):
        read(tmp_path, every)


def test_an_operations_own_entry_goes_first_and_a_structure_speaks_for_what_is_below(tmp_path):
    manifest = read(tmp_path, {"applied": ["Name", "Flag"], "refused": {"{Tags,Map}": "no"}, "neutral": ["Tags=[]"]}, Create={"warned": {"Flag": "why"}})
    assert manifest.problems == []
    assert {path: rule.disposition for path, rule in manifest.rules["Create"].items()} == {"Name": "applied", "Flag": "warned", "Tags": "refused", "Map": "refused"}
    assert manifest.rules["Create"]["Tags"].values["[]"].disposition == "neutral"
    assert list(manifest.checked("Create")) == ["Flag", "Tags", "Map"] and manifest.checked("Delete") == {}
