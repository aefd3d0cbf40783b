#!/usr/bin/env python3
"""Turns the operations a service lists into C++ structs and descriptor tables.

Input: operations.json, one object or a list of objects:
  {"model": "dynamodb", "operations": ["GetItem", ...],
   "overrides": {"AttributeValue": {"type": "::parvis::dynamodb::AttributeValue", "include": "services/..."}},
   "enum_orders": {"Select": ["COUNT", ...]}}  (the values of an enumeration as the service's messages list them)
Beside it manifest.json says what happens to each member of an input; with --strict (every service) a member without an entry fails the build.
Output: <out>/<model>.h and <out>/<model>.cc, rewritten only when their text changes. The form of both is described in
src/aws/README.md. Source of everything: the service models of the pinned botocore.
"""
import argparse
import gzip
import json
import os
import re
import sys

from manifest import Manifest

KEYWORDS = set("""alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
compl concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do
double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace new
noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires return short signed
sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union
unsigned using virtual void volatile wchar_t while xor xor_eq stdin stdout stderr errno major minor unix linux""".split())
SCALARS = {"string": ("std::string", "kString"), "character": ("std::string", "kString"), "blob": ("std::string", "kBlob"),
           "integer": ("int", "kInteger"), "long": ("std::int64_t", "kLong"), "double": ("double", "kDouble"),
           "float": ("double", "kDouble"), "boolean": ("bool", "kBoolean"), "timestamp": ("Timestamp", "kTimestamp")}
LOCATIONS = {"uri": "kUri", "querystring": "kQuery", "header": "kHeader", "headers": "kHeaders", "statusCode": "kStatusCode"}
PROTOCOLS = {"json": "kJson", "rest-json": "kRestJson", "query": "kQuery", "rest-xml": "kRestXml"}
DISPOSITIONS = {"applied": "kApplied", "neutral": "kNeutral", "warned": "kWarned", "refused": "kRefused",
                "refused_in_code": "kApplied"}  # the handler refuses it in AWS's words, so the pipeline lets it pass
TIMESTAMPS = {"iso8601": "kIso8601", "unixTimestamp": "kUnix", "rfc822": "kRfc822"}


def snake(name):
    name = re.sub(r"[^A-Za-z0-9]", "_", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return name + "_" if name in KEYWORDS or name[0].isdigit() else name


def quote(text):
    """A C++ string literal; every byte outside printable ASCII as an octal escape."""
    out = "".join(chr(b) if 32 <= b < 127 and b not in (34, 92) else "\\%03o" % b for b in text.encode())
    return '"' + out + '"'


def fail(message):
    sys.exit("modelgen: " + message)


class Model:
    def __init__(self, botocore, spec, patterns):
        self.name = spec["model"]
        folder = os.path.join(botocore, "data", self.name)
        if not os.path.isdir(folder):
            fail(f"botocore has no model '{self.name}' ({folder})")
        version = sorted(v for v in os.listdir(folder) if v[0].isdigit())[-1]
        path = os.path.join(folder, version, "service-2.json")
        with (gzip.open(path + ".gz", "rt") if os.path.exists(path + ".gz") else open(path)) as file:
            self.json = json.load(file)
        self.meta = self.json["metadata"]
        self.shapes = self.json["shapes"]
        self.operations = sorted(spec["operations"])
        self.overrides = spec.get("overrides", {})
        self.enum_orders = spec.get("enum_orders", {})
        for shape, values in self.enum_orders.items():
            if sorted(values) != sorted(self.shapes[shape]["enum"]):
                fail(f"enum_orders: {shape} has other values")
        self.patterns = patterns
        self.cc_patterns, self.order, self.boxed, self.state = {}, [], set(), {}
        self.streams, self.event_streams = set(), set()
        self.manifest = None
        for name in self.operations:
            if name not in self.json["operations"]:
                fail(f"{self.name} has no operation '{name}'")

    # ---- names and types
    def struct_name(self, shape):
        name = shape[0].upper() + shape[1:]
        return name + "Shape" if name in self.operations else name

    def type_of(self, shape):
        if shape in self.overrides:
            return self.overrides[shape]["type"]
        s = self.shapes[shape]
        kind = s["type"]
        if kind == "structure":
            return "boost::json::value" if s.get("document") else self.struct_name(shape)
        if kind == "list":
            element = self.type_of(s["member"]["shape"])
            if element == "bool":
                fail(f"{self.name}.{shape}: a list of booleans has no addressable elements")
            return f"std::vector<{element}>"
        if kind == "map":
            return f"std::map<std::string, {self.type_of(s['value']['shape'])}>"
        return SCALARS[kind][0]

    def is_stream(self, member):
        s = self.shapes[member["shape"]]
        return s["type"] == "blob" and (member.get("streaming") or s.get("streaming"))

    def is_event_stream(self, member):
        return self.shapes[member["shape"]].get("eventstream", False)

    def member_type(self, owner, name, member):
        if self.is_event_stream(member):
            return "EventStream"
        if self.is_stream(member):
            return "Body"
        kind = self.type_of(member["shape"])
        return f"Boxed<{kind}>" if (owner, name) in self.boxed else kind

    # ---- order of definition: what a struct holds by value comes first; what closes a cycle is boxed
    def visit(self, shape):
        if shape in self.state:
            return
        self.state[shape] = "open"
        s = self.shapes[shape]
        if shape not in self.overrides:
            for name, member in s.get("members", {}).items():
                if self.is_event_stream(member):
                    self.event_streams.add(member["shape"])
                if self.is_stream(member):
                    self.streams.add(member["shape"])
                    continue
                self.visit(member["shape"])
                if self.state[member["shape"]] == "open" and self.shapes[member["shape"]]["type"] == "structure":
                    self.boxed.add((shape, name))
            for part in ("member", "key", "value"):
                if part in s:
                    self.visit(s[part]["shape"])
        self.state[shape] = "done"
        self.order.append(shape)

    def is_struct(self, shape):
        s = self.shapes[shape]
        return shape not in self.overrides and s["type"] == "structure" and not s.get("document")

    # ---- patterns
    def pattern(self, shape, text, has_max):
        if text in self.patterns:
            match, unless = self.patterns[text]["match"], self.patterns[text]["unless"]
        else:
            match, unless = text, ""
            match = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: "\\x{%s}" % m[1], match)
            match = match.replace("\\p{Print}", "[[:print:]]").replace("\\p{ASCII}", "[[:ascii:]]")
            outside = re.sub(r"\[(\\.|[^\]\\])*\]", "[]", match)  # what stands outside character classes
            if re.search(r"x\{[dD][89a-fA-F]", match) or re.search(r"\(\?(=|!|<=|<!|>)|(?<!\\)\\[1-9]", outside) \
                    or re.search(r"(?<!\\)[*+?}]\+", outside):
                fail(f"{self.name}.{shape}: RE2 does not take the pattern {text!r}; "
                     "write it down in tools/modelgen/patterns.json")
            def repeat(m):
                low, comma, high = m[1], m[2], m[3]
                if int(low or 0) <= 1000 and int(high or 0) <= 1000:
                    return m[0]
                if not has_max or int(low) > 1000:
                    fail(f"{self.name}.{shape}: RE2 does not count past 1000 and the shape has no length limit: {text!r}")
                return "{%s,}" % low
            match = re.sub(r"(?<!x)(?<!p)\{(\d+)(,?)(\d*)\}", repeat, match)
        return self.cc_patterns.setdefault((text, match, unless), f"kPattern{len(self.cc_patterns)}")

    # ---- the header
    def header(self):
        ns = self.name.replace("-", "_")
        out = [f"// Generated by tools/modelgen from botocore's model of {self.meta['serviceFullName']}. Do not edit.",
               "#pragma once", "", '#include "aws/model.h"']
        out += [f'#include "{i}"' for i in sorted({o["include"] for o in self.overrides.values()})]
        out += ["", f"namespace parvis::aws::model::{ns} {{", ""]
        structs = [s for s in self.order if self.is_struct(s)]
        out += [f"struct {self.struct_name(s)};" for s in structs] + [""]
        for shape in structs:
            s = self.shapes[shape]
            note = "  // union: exactly one member is set" if s.get("union") else ""
            out.append(f"struct {self.struct_name(shape)} {{{note}")
            for name, member in s.get("members", {}).items():
                out.append(f"  std::optional<{self.member_type(shape, name, member)}> {snake(name)};")
            out.append("};")
        out.append("")
        names = {self.struct_name(s) for s in structs}
        for op in self.operations:
            o = self.json["operations"][op]
            for part in ("Input", "Output"):
                alias, shape = op + part, o.get(part.lower(), {}).get("shape")
                target = self.struct_name(shape) if shape else None
                if target == alias:
                    continue
                if alias in names:
                    fail(f"{self.name}: {alias} is a shape but not the {part.lower()} of {op}")
                out.append(f"using {alias} = {target};" if target else f"struct {alias} {{}};")
        out.append("")
        for op in self.operations:
            out.append(f"struct {op} {{ using Input = {op}Input; using Output = {op}Output; "
                       "static const OperationModel& model(); };")
        out += ["", "const ServiceModel& service_model();", "// The operations above, in order of their names.",
                "std::span<const OperationModel* const> operation_models();", "", "namespace errors {"]
        for shape, s in sorted(self.shapes.items()):
            if s.get("exception"):
                out.append(f"inline constexpr ErrorSpec k{shape[0].upper() + shape[1:]}{self.error_spec(shape)};")
        out += ["}  // namespace errors", f"}}  // namespace parvis::aws::model::{ns}", ""]
        return "\n".join(out)

    def error_spec(self, shape):
        s = self.shapes[shape]
        error = s.get("error", {})
        server = s.get("fault", False) or error.get("httpStatusCode", 0) >= 500
        status = error.get("httpStatusCode", 500 if server else 400)
        return f"{{{quote(error.get('code', shape))}, {status}, Fault::{'kServer' if server else 'kClient'}}}"

    # ---- the source
    def source(self):
        ns = self.name.replace("-", "_")
        body = [f"constinit const Shape s_stream_{shape}{{.name = {quote(shape)}, .kind = Kind::kStream}};"
                for shape in sorted(self.streams)]
        body += [f"constinit const Shape s_events_{shape}{{.name = {quote(shape)}, .kind = Kind::kEventStream, .element = &s_{shape}}};"
                 for shape in sorted(self.event_streams)]
        for shape in self.order:
            body += self.shape_lines(shape)
        body.append('constinit const Shape s_empty{.name = "Empty", .kind = Kind::kStructure};')
        tail = self.service_lines()
        for op in self.operations:
            tail += self.operation_lines(op)
        out = [f"// Generated by tools/modelgen from botocore's model of {self.meta['serviceFullName']}. Do not edit.",
               f'#include "models/{self.name}.h"', "", "#pragma clang diagnostic ignored \"-Winvalid-offsetof\"",
               "#pragma clang diagnostic ignored \"-Wunused-const-variable\"",
               "#pragma clang diagnostic ignored \"-Wmissing-field-initializers\"",
               "#pragma clang diagnostic ignored \"-Wmissing-designated-field-initializers\"", "",
               f"namespace parvis::aws::model::{ns} {{", "namespace shapes {", ""]
        out += [f"constinit const Pattern {name}{{{quote(t)}, {quote(m)}, {quote(u)}}};"
                for (t, m, u), name in self.cc_patterns.items()]
        out += [f"extern const Shape s_{shape};" for shape in self.order]
        out += body + ["}  // namespace shapes", "", "using namespace shapes;", ""] + tail
        models = ", ".join(f"&{op}::model()" for op in self.operations)
        out += ["std::span<const OperationModel* const> operation_models() {",
                f"  static const OperationModel* const kModels[] = {{{models}}};", "  return kModels;", "}"]
        out += [f"}}  // namespace parvis::aws::model::{ns}", ""]
        return "\n".join(out)

    def shape_lines(self, shape):
        s, lines = self.shapes[shape], []
        fields = [f".name = {quote(shape)}"]
        if shape in self.overrides:
            kind = "kOverride"
        elif s.get("document"):
            kind = "kDocument"
        elif s["type"] in SCALARS:
            kind = SCALARS[s["type"]][1]
        else:
            kind = "k" + s["type"].capitalize()
        fields.append(f".kind = Kind::{kind}")
        if kind in ("kInteger", "kLong", "kDouble"):
            fields += [f".{p}_value = {float(s[p])!r}" for p in ("min", "max") if p in s]
        elif kind != "kOverride":
            fields += [f".{p} = {int(s[p])}" for p in ("min", "max") if p in s]
        if s.get("pattern") and kind == "kString":
            fields.append(f".pattern = &{self.pattern(shape, s['pattern'], 'max' in s)}")
        if s.get("enum") and kind == "kString":
            lines.append(f"constexpr std::string_view e_{shape}[] = {{{', '.join(quote(v) for v in self.enum_orders.get(shape, s['enum']))}}};")
            fields.append(f".enum_values = e_{shape}")
        if kind == "kStructure" and s.get("members"):
            lines.append(f"constexpr Member m_{shape}[] = {{")
            lines += [self.member_line(shape, n, m) for n, m in s["members"].items()]
            lines.append("};")
            fields.append(f".members = m_{shape}")
        if kind == "kStructure":
            if s.get("union"):
                fields.append(".is_union = true")
            if s.get("locationName"):
                fields.append(f".xml_name = {quote(s['locationName'])}")
            if s.get("xmlNamespace"):
                x = s["xmlNamespace"]
                fields.append(f".xml_namespace = {quote(x['uri'] if isinstance(x, dict) else x)}")
        if kind == "kList":
            fields.append(f".element = &s_{s['member']['shape']}")
            if s["member"].get("locationName"):
                fields.append(f".element_wire = {quote(s['member']['locationName'])}")
        if kind == "kMap":
            fields += [f".element = &s_{s['value']['shape']}", f".key = &s_{s['key']['shape']}"]
            for part in ("key", "value"):
                if s[part].get("locationName"):
                    fields.append(f".{part}_wire = {quote(s[part]['locationName'])}")
        if s.get("flattened"):
            fields.append(".flattened = true")
        if s.get("timestampFormat"):
            fields.append(f".timestamp = TimestampFormat::{TIMESTAMPS[s['timestampFormat']]}")
        if s.get("sensitive"):
            fields.append(".sensitive = true")
        if kind == "kList":
            fields.append(f".list = &detail::list_ops<{self.type_of(s['member']['shape'])}>")
        if kind == "kMap":
            fields.append(f".map = &detail::map_ops<{self.type_of(s['value']['shape'])}>")
        if kind == "kOverride":
            fields.append(f".override_ops = &detail::override_ops<{self.type_of(shape)}>")
        lines.append(f"constinit const Shape s_{shape}{{{', '.join(fields)}}};")
        return lines

    def member_line(self, owner, name, member):
        s = self.shapes[owner]
        fields = [f".name = {quote(name)}", f".wire = {quote(member.get('locationName', name))}"]
        prefix = "s_stream_" if self.is_stream(member) else "s_events_" if self.is_event_stream(member) else "s_"
        fields.append(f".shape = &{prefix}{member['shape']}")
        if name in s.get("required", []):
            fields.append(".required = true")
        if s.get("payload") == name or member.get("eventpayload"):
            fields.append(".location = Location::kPayload")
        elif member.get("location"):
            fields.append(f".location = Location::{LOCATIONS[member['location']]}")
        for flag, field in (("flattened", "flattened"), ("xmlAttribute", "xml_attribute")):
            if member.get(flag):
                fields.append(f".{field} = true")
        if member.get("timestampFormat"):
            fields.append(f".timestamp = TimestampFormat::{TIMESTAMPS[member['timestampFormat']]}")
        x = member.get("xmlNamespace")
        if isinstance(x, dict):
            if x.get("prefix"):
                fields.append(f".xml_namespace_prefix = {quote(x['prefix'])}")
            fields.append(f".xml_namespace = {quote(x['uri'])}")
        fields.append(f"PARVIS_MODEL_FIELD({self.struct_name(owner)}, {snake(name)})")
        return f"  {{{', '.join(fields)}}},"

    def service_key(self):
        prefix = self.meta["endpointPrefix"]
        return self.name if re.fullmatch(re.escape(prefix) + r"v\d+", self.name) else prefix

    def service_lines(self):
        m = self.meta
        lines = ["constexpr OperationName kOperations[] = {"]
        for name, o in sorted(self.json["operations"].items()):
            lines.append(f"  {{{quote(name)}, {quote(o['http']['method'])}, {quote(o['http']['requestUri'])}}},")
        lines.append("};")
        fields = [f".service = {quote(self.service_key())}", f".model = {quote(self.name)}",
                  f".endpoint_prefix = {quote(m['endpointPrefix'])}",
                  f".signing_name = {quote(m.get('signingName', m['endpointPrefix']))}",
                  f".service_id = {quote(m['serviceId'])}", f".api_version = {quote(m['apiVersion'])}",
                  f".protocol = Protocol::{PROTOCOLS[m['protocol']]}", f".json_version = {quote(m.get('jsonVersion', ''))}",
                  f".target_prefix = {quote(m.get('targetPrefix', ''))}",
                  f".xml_namespace = {quote(m.get('xmlNamespace', ''))}", ".operations = kOperations"]
        errors = []
        for name, s in sorted(self.shapes.items()):
            if s.get("exception"):
                member = next((m for m in s.get("members", {}) if m.lower() == "message"), "")
                errors.append(f"  {{{quote(s.get('error', {}).get('code', name))}, {quote(member)}}},")
        if errors:
            lines += ["constexpr ErrorShape kErrors[] = {", *errors, "};"]
            fields.append(".errors = kErrors")
        lines += [f"constexpr ServiceModel kService{{{', '.join(fields)}}};",
                  "const ServiceModel& service_model() { return kService; }"]
        return lines

    def operation_lines(self, op):
        o, lines = self.json["operations"][op], []
        fields = [".service_model = &kService", f".service = {quote(self.service_key())}", f".name = {quote(op)}",
                  f".method = {quote(o['http']['method'])}", f".uri = {quote(o['http']['requestUri'])}"]
        if o["http"].get("responseCode", 200) != 200:
            fields.append(f".response_code = {o['http']['responseCode']}")
        for part in ("input", "output"):
            fields.append(f".{part} = &s_{o[part]['shape']}" if part in o else f".{part} = &s_empty")
        if "output" not in o:
            fields.append(".has_output = false")
        wrapper = o.get("output", {}).get("resultWrapper")
        if wrapper:
            fields.append(f".result_wrapper = {quote(wrapper)}")
        fields += [f".make_input = &detail::make<{op}Input>", f".make_output = &detail::make<{op}Output>"]
        if o.get("errors"):
            lines.append(f"constexpr ErrorSpec x_{op}[] = {{")
            lines += [f"  {self.error_spec(e['shape'])}," for e in o["errors"]]
            lines.append("};")
            fields.append(f".errors = x_{op}")
        rules = self.manifest.checked(op) if self.manifest else {}
        if rules:
            members = []
            for number, (path, rule) in enumerate(rules.items()):
                values = [f"  {{{quote(v)}, Disposition::{DISPOSITIONS[r.disposition]}, {quote(r.note)}}}," for v, r in rule.values.items()]
                member = f"  {{{quote(path)}, Disposition::{DISPOSITIONS[rule.disposition]}, {quote(rule.note)}"
                if values:
                    lines += [f"constexpr ValueRule v_{op}_{number}[] = {{", *values, "};"]
                    member += f", v_{op}_{number}"
                members.append(member + "},")
            lines += [f"constexpr MemberRule r_{op}[] = {{", *members, "};"]
            fields.append(f".rules = r_{op}")
        lines.append(f"const OperationModel& {op}::model() {{")
        lines.append(f"  static constexpr OperationModel kModel{{{', '.join(fields)}}};")
        lines += ["  return kModel;", "}"]
        return lines

    def check_event_streams(self):
        for op in self.operations:
            shape = self.json["operations"][op].get("input", {}).get("shape")
            for name, member in self.shapes.get(shape, {}).get("members", {}).items():
                if self.is_event_stream(member):
                    fail(f"{self.name}:{op}.{name}: event streams of requests are not supported yet")
        for shape in self.event_streams:
            for event in self.shapes[shape]["members"].values():
                if any(m.get("eventheader") for m in self.shapes[event["shape"]].get("members", {}).values()):
                    fail(f"{self.name}.{event['shape']}: members in the headers of events are not supported yet")

    def generate(self):
        for op in self.operations:
            for part in ("input", "output"):
                if part in self.json["operations"][op]:
                    self.visit(self.json["operations"][op][part]["shape"])
        self.check_event_streams()
        source = self.source()
        return {f"{self.name}.h": self.header(), f"{self.name}.cc": source}


def write(path, text):
    if os.path.exists(path):
        with open(path) as file:
            if file.read() == text:
                return
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def read_manifest(model, operations_file, strict):
    try:
        manifest = Manifest(model, operations_file)
    except ValueError as error:
        fail(f"manifest.json beside {operations_file}: {error}")
    if strict and manifest.problems:
        fail("\n  ".join([f"{manifest.file} must say what happens to every input member ({len(manifest.problems)} problems):",
                          *manifest.problems[:40],
                          "Add each to \"applied\" (a handler acts on it), \"neutral\" (without effect here, and none is missed), \"warned\" or",
                          "\"refused\" (with a text: the pipeline does it) or \"refused_in_code\", under \"operations\" or, for members of",
                          "many operations, under \"every\". \"A.{B,C}\" is two members. See tools/modelgen/README.md."]))
    return manifest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--botocore", required=True, help="the botocore package: the folder that has data/")
    parser.add_argument("--out", required=True, help="folder of the generated files")
    parser.add_argument("--strict", action="store_true", help="fail when a manifest does not speak of every member")
    parser.add_argument("operations", nargs="+", help="operations.json of the services")
    args = parser.parse_args()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "patterns.json")) as file:
        patterns = json.load(file)
    os.makedirs(args.out, exist_ok=True)
    for path in args.operations:
        with open(path) as file:
            specs = json.load(file)
        for spec in specs if isinstance(specs, list) else [specs]:
            model = Model(args.botocore, spec, patterns)
            model.manifest = read_manifest(model, path, args.strict)
            for name, text in model.generate().items():
                write(os.path.join(args.out, name), text)


if __name__ == "__main__":
    main()
