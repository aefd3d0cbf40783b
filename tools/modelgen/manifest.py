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


def is_below(path, above):
    return path.startswith((above + ".", above + "[", above + "{"))


def expand(path):
    """The paths that "A.{B,C[].{D,E}}" stands for. "{}" is no choice but the values of a map."""
    start = next((i for i, c in enumerate(path) if c == "{" and path[i + 1:i + 2] != "}"), None)
    if start is None:
        return [path]
    depth, parts, begin = 0, [], start + 1
    for i in range(start, len(path)):
        depth += (path[i] == "{") - (path[i] == "}")
        if (depth == 1 and path[i] == ",") or depth == 0:
            parts.append(path[begin:i])
            begin = i + 1
        if depth == 0:
            return [one for part in parts for one in expand(path[:start] + part + path[i + 1:])]
    raise ValueError(f"'{path}' has an open brace")


def entries_of(section):
    """(path or "path=value", disposition, note) of one operation's section."""
    for disposition, members in section.items():
        if disposition not in DISPOSITIONS:
            raise ValueError(f"'{disposition}' is none of {', '.join(DISPOSITIONS)}")
        if isinstance(members, list):
            if disposition not in ("applied", "neutral"):
                raise ValueError(f"'{disposition}' needs a text for each member")
            members = dict.fromkeys(members, "")
        for entry, note in members.items():
            path, equals, value = entry.partition("=")
            for one in expand(path):
                yield one + equals + value, disposition, note


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
        paths, name = self.paths[operation], f"{self.model.name}.{operation}"
        rules, special = {}, []
        for source in (section, every):  # an operation's own entries come before those of every operation
            fresh = {}
            for entry, disposition, note in entries_of(source):
                path, equals, value = entry.partition("=")
                if path not in paths and not (equals and path.removesuffix("[]") in paths):
                    if source is section:
                        self.problems.append(f"{name} has no input member '{path}'")
                    continue
                if source is every:
                    self.unused.discard(entry)
                if equals:
                    special.append((path, value, Rule(disposition, note)))
                elif path in fresh:
                    self.problems.append(f"{name}: '{path}' has two entries")
                else:
                    fresh[path] = Rule(disposition, note)
            rules = {**fresh, **rules}
        for path, value, rule in special:
            whole = path.removesuffix("[]")
            if whole not in rules:
                self.problems.append(f"{name}: '{path}={value}' has an entry, the other values of '{whole}' have none")
                continue
            rules.setdefault(path, Rule(rules[whole].disposition, "")).values.setdefault(value, rule)
        for path in paths:
            # What has members below is spoken of by theirs; below a member that is not applied there is nothing more to say.
            spoken_of = path in rules or any(is_below(p, path) for p in paths) or \
                any(is_below(path, p) and rule.disposition != "applied" for p, rule in rules.items())
            if not spoken_of:
                self.problems.append(f"{name}: the input member '{path}' has no entry")
        return rules

    def checked(self, operation):
        """The rules that the pipeline must look at, in the model's order: what is refused or warned about, whole or by value."""
        found, paths = {}, self.paths[operation]
        for path, rule in sorted(self.rules[operation].items(), key=lambda r: paths.index(r[0] if r[0] in paths else r[0].removesuffix("[]"))):
            if any(r.disposition in ("refused", "warned") for r in (rule, *rule.values.values())):
                found[path] = rule
        # A rule that covers a structure as a whole already says it.
        return {p: r for p, r in found.items()
                if not any(is_below(p, q) and s.disposition == r.disposition and s.note == r.note and not s.values
                           for q, s in found.items())}
