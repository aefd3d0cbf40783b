"""AWS's resource schemas, as cfn-lint carries them: which properties a resource type has."""
import json
import os


class Schemas:
    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "providers/us-east-1.json")) as file:
            self.names = json.load(file)

    def properties(self, resource_type):
        """Every property that a template can set, as the rules name it: "Code.S3Bucket", "Tags[].Key"; None for an unknown type."""
        if resource_type not in self.names:
            return None
        with open(os.path.join(self.folder, "resources", self.names[resource_type] + ".json")) as file:
            schema = json.load(file)
        read_only = {path.removeprefix("/properties/").replace("/*", "[]").replace("/", ".") for path in schema.get("readOnlyProperties", [])}
        found = dict.fromkeys(self.walk(schema, {"properties": schema["properties"]}, "", ()))
        return [path for path in found if path not in read_only]

    def walk(self, schema, node, prefix, inside):
        while "$ref" in node:
            name = node["$ref"].split("/")[-1]
            if name in inside:
                return
            node, inside = schema["definitions"][name], (*inside, name)
        for name, child in node.get("properties", {}).items():
            path = f"{prefix}.{name}" if prefix else name
            yield path
            yield from self.walk(schema, child, path, inside)
        if isinstance(node.get("items"), dict):
            yield from self.walk(schema, node["items"], prefix + "[]", inside)
        for word in ("oneOf", "anyOf", "allOf"):
            for choice in node.get(word, []):
                yield from self.walk(schema, choice, prefix, inside)

    def unspoken_of(self, resource_type, rules):
        """The properties that no rule names, and those below a rule that applies a structure as a whole: their uppermost ones."""
        properties = self.properties(resource_type)
        if properties is None:
            return ["(no schema)"]
        handling = {rule["path"]: rule["handling"] for rule in rules}

        def spoken_of(path):
            if path in handling or any(below(rule, path) for rule in handling):
                return True
            above = next((rule for rule in sorted(handling, key=len, reverse=True) if below(path, rule)), None)
            if above and handling[above] != "applied":
                return True
            # A list of structures may be written as one structure: the rules speak of its elements.
            parent, _, name = path.rpartition(".")
            return f"{parent}[].{name}" in handling

        missing = [path for path in properties if not spoken_of(path)]
        return [path for path in missing if not any(below(path, other) for other in missing)]


def below(path, above):
    return path.startswith((above + ".", above + "["))
