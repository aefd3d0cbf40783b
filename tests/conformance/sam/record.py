"""Records what the oracle makes of each template in src/templates/sam/testdata: python3 record.py"""
import json
import pathlib

from oracle import oracle

data = pathlib.Path(__file__).resolve().parents[3] / "src" / "templates" / "sam" / "testdata"
for source in sorted(data.glob("*.yaml")):
    source.with_suffix(".json").write_text(json.dumps(oracle(source.read_text()), indent=1, sort_keys=True) + "\n")
    print(source.name)
