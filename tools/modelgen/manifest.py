"""Reads a service's manifest.json: what happens to each member of each listed operation's input.

The form is described in README.md beside this file. A member without an entry, an entry without a member and two entries
for one member are problems; modelgen refuses to build with them, so that no member is dropped in silence.
"""
import json
import os

DISPOSITIONS = ("applied", "neutral", "warned", "refused", "refused_in_code")


class Rule:
    def __init__(self, disposition, note):
        self.disposition, self.note, self.values = disposition, note, {}


def paths_of(model, shape, prefix="", open_shapes=()):
    """Every member below a structure: "Code.S3Bucket", "Tags[].Key", "Map{}.Member". A recursive shape ends at itself."""
    if shape in open_shapes or shape in model.overrides:
        return
    s, inside = model.shapes[shape], (*open_shapes, shape)
    if s["type"] == "structure" and not s.get("document"):
        for name, member in s.get("members", {}).items():
            path = f"{prefix}.{name}" if prefix and not prefix.endswith(".") else prefix + name
            yield path
            yield from paths_of(model, member["shape"], path, inside)
    elif s["type"] == "list":
        yield from paths_of(model, s["member"]["shape"], prefix + "[]", inside)
    elif s["type"] == "map":
        yield from paths_of(model, s["value"]["shape"], prefix + "{}", inside)


def entries_of(section):
    """(path or "path=value", disposition, note) of one operation's section."""
    for disposition, members in section.items():
        if disposition not in DISPOSITIONS:
            raise ValueError(f"'{disposition}' is none of {', '.join(DISPOSITIONS)}")
        if isinstance(members, list):
            if disposition in ("warned", "refused"):
                raise ValueError(f"'{disposition}' needs a text for each member")
            members = dict.fromkeys(members, "")
        for entry, note in members.items():
            yield entry, disposition, note


class Manifest:
    """rules[operation][path] is a Rule, for every path that has an entry; problems is a list of sentences."""

    def __init__(self, model, operations_file):
        self.model, self.problems, self.rules, self.paths = model, [], {}, {}
        self.file = os.path.join(os.path.dirname(operations_file), "manifest.json")
        spec = {}
        if os.path.exists(self.file):
            with open(self.file) as file:
                spec = json.load(file).get(model.name, {})
        every = spec.get("every", {})
        self.unused = {entry for entry, _, _ in entries_of(every)}
        sections = spec.get("operations", {})
        for operation in sorted(set(sections) - set(model.operations)):
            self.problems.append(f"{model.name}.{operation} has an entry but is not listed in operations.json")
        for operation in model.operations:
            shape = model.json["operations"][operation].get("input", {}).get("shape")
            self.paths[operation] = list(paths_of(model, shape)) if shape else []
            self.rules[operation] = self.read(operation, sections.get(operation, {}), every)
        for entry in sorted(self.unused):
            self.problems.append(f"{model.name}: the entry '{entry}' under 'every' names no member of any listed operation")

    def read(self, operation, section, every):
        paths, known, rules, special = self.paths[operation], set(self.paths[operation]), {}, []
        # An operation's own entries come before those of every operation, a member's own before "Parent.*", longer before shorter.
        for source in (section, every):
            fresh, wide = {}, []
            for entry, disposition, note in entries_of(source):
                path, equals, value = entry.partition("=")
                covered = self.covered(paths, path)
                if not covered:
                    if source is section:
                        self.problems.append(f"{self.model.name}.{operation} has no input member '{path}'")
                    continue
                if source is every:
                    self.unused.discard(entry)
                if equals:
                    special.append((path, value, Rule(disposition, note)))
                elif path.endswith(".*"):
                    wide.append((path, covered, Rule(disposition, note)))
                elif path in fresh:
                    self.problems.append(f"{self.model.name}.{operation}: '{path}' has two entries")
                else:
                    fresh[path] = Rule(disposition, note)
            for path, covered, rule in sorted(wide, key=lambda w: -len(w[0])):
                for one in covered:
                    fresh.setdefault(one, Rule(rule.disposition, rule.note))
            for path, rule in fresh.items():
                rules.setdefault(path, rule)
        for path, value, rule in special:
            if path.removesuffix("[]") in rules:
                base = rules[path] if path in rules else rules.setdefault(path, Rule(rules[path.removesuffix("[]")].disposition, ""))
                base.values.setdefault(value, rule)
        for path in paths:
            if path not in rules:
                # Below a member that is refused or has no effect as a whole there is nothing more to say.
                if not any(path.startswith(p + c) and r.disposition not in ("applied",) for p, r in rules.items() for c in ".[{"):
                    self.problems.append(f"{self.model.name}.{operation}: the input member '{path}' has no entry")
        return rules

    @staticmethod
    def covered(paths, path):
        if path.endswith(".*"):
            stem = path[:-2]
            return [p for p in paths if p == stem or p.startswith((stem + ".", stem + "[", stem + "{"))] if stem else paths
        stem = path.removesuffix("[]")
        return [p for p in paths if p == stem]

    def checked(self, operation):
        """The rules that the pipeline must look at, in the model's order: what is refused or warned about, whole or by value."""
        found = {}
        for path, rule in self.rules[operation].items():
            if any(r.disposition in ("refused", "warned") for r in (rule, *rule.values.values())):
                found[path] = rule
        # A rule that covers a structure as a whole already says it.
        return {p: r for p, r in found.items()
                if not any(p != q and p.startswith((q + ".", q + "[", q + "{")) and s.disposition == r.disposition and s.note == r.note and not s.values
                           for q, s in found.items())}
