#!/usr/bin/env python3
"""Writes docs/compatibility.md, the page of what differs from AWS, from what the programs themselves are made of.

Sources: each service's operations.json and manifest.json, the models of botocore (operations that are not listed), the rules of the
resource types (parvis_rules_probe), AWS's resource schemas (of cfn-lint), SAM's documented properties (of aws-sam-translator) asked
of `parvis transform`, and the hand-written rows of the differences.json files. Run it by script/compatibility.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools/modelgen"))
from manifest import Manifest, is_below  # noqa: E402
from modelgen import Model  # noqa: E402
from schemas import Schemas  # noqa: E402

CHAPTERS = ["dynamodb", "lambda", "s3", "apigateway", "cloudformation", "iam", "sts", "ssm", "logs"]  # others follow by name
NAMES_SHOWN = 6  # of the operations that a rule holds for
SAM_PAGES = {"AWS::Serverless::Function": "sam-resource-function", "AWS::Serverless::Api": "sam-resource-api",
             "AWS::Serverless::HttpApi": "sam-resource-httpapi", "AWS::Serverless::SimpleTable": "sam-resource-simpletable",
             "AWS::Serverless::LayerVersion": "sam-resource-layerversion"}


def code(names):
    return ", ".join(f"`{name}`" for name in names)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]


def differences(folder):
    path = os.path.join(ROOT, folder, "differences.json")
    if not os.path.exists(path):
        return []
    with open(path) as file:
        rows = json.load(file)
    for row in rows:
        if set(row) != {"what", "here", "aws"}:
            sys.exit(f"{path}: a row has the members what, here and aws, not {sorted(row)}")
    return table(("what", "here", "on AWS"), [(row["what"], row["here"], row["aws"]) for row in rows])


def models_of(service, botocore):
    """(model, its manifest) of each model that the service's folder lists."""
    path = os.path.join(ROOT, "src/services", service, "operations.json")
    if not os.path.exists(path):
        return
    with open(path) as file:
        specs = json.load(file)
    for spec in specs if isinstance(specs, list) else [specs]:
        model = Model(botocore, spec, {})
        yield model, Manifest(model, path)


def notes_of(model, manifest):
    """{(disposition, text): {member or member=value: operations}} of all that is not applied."""
    notes = {}
    for operation in model.operations:
        rules = manifest.rules[operation]
        for path, rule in rules.items():
            for entry, one in [(path, rule)] + [(f"{path}={value}", one) for value, one in rule.values.items()]:
                if one.disposition != "applied":
                    notes.setdefault((one.disposition, one.note), {}).setdefault(entry, []).append(operation)
    return notes


def member_lines(model, manifest):
    notes = notes_of(model, manifest)
    words = {"refused": "refused", "refused_in_code": "refused", "warned": "accepted with a warning"}
    rows = []
    for (disposition, text), members in notes.items():
        if disposition == "neutral":
            continue
        # Below a member of the same rule there is nothing more to say.
        shown = [m for m in members if not any(is_below(m, other) for other in members)]
        operations = sorted({o for m in shown for o in members[m]})
        where = "every operation that has it" if len(operations) > NAMES_SHOWN else ", ".join(operations)
        rows.append((code(sorted(shown)), where, words[disposition], text))
    lines = table(("member", "of", "what happens", "why"), sorted(rows, key=lambda row: (row[2], row[0]))) if rows else []
    neutral = sorted({m for (disposition, _), members in notes.items() if disposition == "neutral" for m in members})
    if neutral:
        lines += ["", f"Without effect, and none is missed: {code(neutral)}."]
    return lines


def service_lines(service, args, rules, schemas):
    models = list(models_of(service, args.botocore))
    title = models[0][0].meta["serviceFullName"] if models else {"apigateway": "Amazon API Gateway"}.get(service, service)
    lines = [f"## {title}", ""]
    for model, manifest in models:
        rest = sorted(set(model.json["operations"]) - set(model.operations))
        if model.meta["serviceFullName"] != title:
            lines += [f"### {model.meta['serviceFullName']}", ""]
        lines += [f"**{len(model.operations)} operations:** {', '.join(model.operations)}.", ""]
        if rest:
            lines += [f"**Not there (501):** {', '.join(rest)}.", ""]
        members = member_lines(model, manifest)
        lines += (members or ["Every input member is applied."]) + [""]
    rows = differences(f"src/services/{service}")
    if rows:
        lines += ["**Differs from AWS:**", "", *rows, ""]
    for name, type_rules in rules.items():
        if owner_of(name) == service:
            lines += resource_lines(name, type_rules, schemas)
    return lines


def owner_of(resource_type):
    room = resource_type.split("::")[1].lower()
    return {"apigatewayv2": "apigateway"}.get(room, room)


def resource_lines(name, type_rules, schemas):
    by_handling = {}
    for rule in type_rules["rules"]:
        by_handling.setdefault(rule["handling"], []).append(rule)
    applied = [rule["path"] for rule in by_handling.get("applied", [])]
    leaves = [path for path in applied if not any(is_below(other, path) for other in applied)]
    lines = [f"### {name}", "", f"Applied: {code(sorted(leaves))}.", ""]
    rows = []
    for handling, word in (("refused", "refused"), ("warned", "no effect, with a warning"), ("neutral", "no effect, and none is missed")):
        notes = {}
        for rule in by_handling.get(handling, []):
            notes.setdefault(rule["note"], []).append(rule["path"])
        rows += [(code(sorted(paths)), word, note) for note, paths in notes.items()]
    rest = [path for path in schemas.unspoken_of(name, type_rules["rules"])]
    if rest:
        rows.append((code(rest), "refused", ""))
    if rows:
        lines += table(("property", "what happens", "why"), rows) + [""]
    return lines


def sam_lines(args):
    """Each documented property in a resource of its own; the transform names those that it does not take."""
    with open(args.sam_docs) as file:
        pages = json.load(file)["properties"]
    rows = []
    for name, page in SAM_PAGES.items():
        # DefinitionUri names a file, which is read before the transform looks at anything.
        resources = {f"R{i}": {"Type": name, "Properties": {prop: "x"}} for i, prop in enumerate(pages[page]) if prop != "DefinitionUri"}
        refused = [prop for i, prop in enumerate(pages[page]) if f"resource R{i}: property '{prop}' is not supported" in transform(args, resources)]
        taken = [prop for prop in pages[page] if prop not in refused]
        rows.append((f"`{name}`", ", ".join(taken), ", ".join(refused) or "–"))
    return table(("type", "properties", "refused by name and line"), rows)


def transform(args, resources, cache={}):
    key = json.dumps(resources)
    if key not in cache:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}, file)
            file.flush()
            done = subprocess.run([args.parvis, "transform", file.name], capture_output=True, text=True, timeout=60)
        cache[key] = done.stdout + done.stderr
    return cache[key]


def page(args):
    with open(args.rules) as file:
        rules = json.load(file)
    schemas = Schemas(args.schemas)
    services = sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(ROOT, "src/services/*/CMakeLists.txt")))
    services.sort(key=lambda name: (CHAPTERS.index(name) if name in CHAPTERS else len(CHAPTERS), name))
    lines = ["<!-- Written by script/compatibility from the manifests, the rules of resource types and differences.json. Do not edit. -->",
             "# Where Parvis differs from AWS", "",
             "What is not named here behaves as AWS documents it. Nothing is dropped in silence: each input member and each property of a template is",
             "applied, has no effect that could be missed, is accepted with a warning, or is refused by name (a template's with its line).",
             "How to change a row: [CONTRIBUTING](../CONTRIBUTING.md).", "", "## Everywhere", "", *differences("src/platform"), "",
             "## Functions", "", *differences("src/functions"), ""]
    for service in services:
        lines += service_lines(service, args, rules, schemas)
    lines += ["## Templates", "", *differences("src/templates"), "", "### SAM", "", *sam_lines(args), "",
              f"Resource types: {code(sorted(rules))}. Every other type is refused by name and line.", ""]
    strange = [name for name in rules if owner_of(name) not in services]
    if strange:
        sys.exit(f"no chapter for {strange}: give owner_of() their service")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip("\n") + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--botocore", required=True, help="the botocore package: the folder that has data/")
    parser.add_argument("--rules", required=True, help="what parvis_rules_probe prints")
    parser.add_argument("--schemas", required=True, help="cfn-lint's data/schemas")
    parser.add_argument("--sam-docs", required=True, help="aws-sam-translator's sam-docs.json")
    parser.add_argument("--parvis", required=True, help="the binary")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with open(args.out, "w") as file:
        file.write(page(args))


if __name__ == "__main__":
    main()
