// The query protocol: a form in, XML out. Names: botocore's QuerySerializer ("Tags.member.1.Key", "Attributes.entry.1.key",
// and the flattened forms of both).
#include <charconv>

#include <fmt/format.h>

#include "aws/json_codec.h"
#include "aws/member_text.h"
#include "aws/protocol.h"
#include "aws/xml.h"

namespace parvis::aws::detail {
namespace {

constexpr std::size_t kParametersMax = 10'000, kDepthMax = 64, kIgnoredMax = 100;

struct Node {
  std::optional<std::string> text;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  bool used = false;

  Node* child(std::string_view name) {
    const auto at = children.find(name);
    return at == children.end() ? nullptr : at->second.get();
  }
};

void insert(Node& root, std::string_view name, std::string value) {
  Node* node = &root;
  std::size_t depth = 0;
  for (;;) {
    if (++depth > kDepthMax) throw DecodeError("A parameter name has too many parts");
    const std::size_t dot = name.find('.');
    auto& next = node->children[std::string(name.substr(0, dot))];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
    if (dot == name.npos) break;
    name.remove_prefix(dot + 1);
  }
  node->text = std::move(value);
}

// The elements "1", "2", … in the order of their numbers.
std::map<unsigned, Node*> numbered(Node& node) {
  std::map<unsigned, Node*> elements;
  for (auto& [name, child] : node.children) {
    unsigned index = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (error == std::errc{} && end == name.data() + name.size()) elements[index] = child.get();
  }
  return elements;
}

void decode(const Shape& shape, Node& node, bool flat, std::string_view path, void* out);

void decode_structure(const Shape& shape, Node& node, std::string_view path, void* out) {
  for (const Member& m : shape.members) {
    const bool flat = m.flattened || m.shape->flattened;
    // A flattened list whose elements have a name stands under that name.
    const bool renamed = flat && m.shape->kind == Kind::kList && m.shape->element_wire != "member";
    Node* child = node.child(renamed ? m.shape->element_wire : m.wire);
    if (child) decode(*m.shape, *child, flat, fmt::format("{}{}{}", path, path.empty() ? "" : ".", m.wire), m.emplace_in(out));
  }
}

void decode(const Shape& shape, Node& node, bool flat, std::string_view path, void* out) {
  node.used = true;
  const auto items = [&](std::string_view name) {
    Node* holder = flat ? &node : node.child(name);
    if (!holder && !flat) holder = node.child("member");
    if (!holder) return std::map<unsigned, Node*>{};
    holder->used = true;
    return numbered(*holder);
  };
  switch (shape.kind) {
    case Kind::kStructure: return decode_structure(shape, node, path, out);
    case Kind::kList:
      for (auto& [index, child] : items(shape.element_wire)) {
        decode(*shape.element, *child, false, fmt::format("{}.{}", path, index), shape.list->add(out));
      }
      return;
    case Kind::kMap:
      for (auto& [index, child] : items("entry")) {
        child->used = true;
        Node* key = child->child(shape.key_wire);
        Node* value = child->child(shape.value_wire);
        if (!key || !key->text || !value) throw DecodeError(fmt::format("{}.{} needs a key and a value", path, index));
        key->used = true;
        decode(*shape.element, *value, false, fmt::format("{}.{}", path, index), shape.map->add(out, *key->text));
      }
      return;
    default:
      if (auto error = scalar_from_text(shape, node.text.value_or(""), out)) throw DecodeError(fmt::format("{}: {}", path, *error));
  }
}

void collect_unused(const Node& node, const std::string& path, std::vector<std::string>& ignored) {
  for (const auto& [name, child] : node.children) {
    const std::string inner = path.empty() ? name : path + "." + name;
    if (child->text && !child->used && ignored.size() < kIgnoredMax) ignored.push_back(inner.substr(0, 500));
    collect_unused(*child, inner, ignored);
  }
}

}  // namespace

void decode_query_form(const OperationModel& op, std::string_view form, void* input, std::vector<std::string>& ignored) {
  Node root;
  auto parameters = http::parse_query(form);
  if (parameters.size() > kParametersMax) throw DecodeError("Too many parameters");
  for (auto& [name, value] : parameters) {
    if (name == "Action" || name == "Version" || name.starts_with("X-Amz-")) continue;
    insert(root, name, std::move(value));
  }
  decode_structure(*op.input, root, "", input);
  collect_unused(root, "", ignored);
}

http::Response encode_query(const OperationModel& op, const void* output, std::string_view request_id) {
  http::Response response;
  response.headers.add("Content-Type", "text/xml");
  std::string& body = response.body;
  body = fmt::format("<{}Response xmlns=\"{}\">\n", op.name, op.service_model->xml_namespace);
  if (op.has_output) {
    const std::string wrapper = op.result_wrapper.empty() ? fmt::format("{}Result", op.name) : std::string(op.result_wrapper);
    body += fmt::format("  <{}>", wrapper);
    write_xml_members(*op.output, output, body);
    body += fmt::format("</{}>\n", wrapper);
  }
  body += fmt::format("  <ResponseMetadata>\n    <RequestId>{}</RequestId>\n  </ResponseMetadata>\n</{}Response>\n", request_id, op.name);
  return response;
}

}  // namespace parvis::aws::detail
