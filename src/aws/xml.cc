#include "aws/xml.h"

#include <expat.h>
#include <fmt/format.h>

#include "aws/json_codec.h"
#include "aws/member_text.h"
#include "core/utf8.h"

namespace parvis::aws {
namespace {

constexpr std::size_t kDepthMax = 100, kElementsMax = 200'000, kIgnoredMax = 100;

// ---- reading
struct Reader {
  XML_Parser parser;
  XmlNode root;
  std::vector<XmlNode*> open;  // stable: only the last child of an open node is open itself
  std::size_t elements = 0;
  std::string error;

  void stop(std::string why) {
    error = std::move(why);
    XML_StopParser(parser, XML_FALSE);
  }
};

std::string local_name(const char* name) {
  const std::string_view text(name);
  const std::size_t colon = text.rfind(':');
  return std::string(colon == text.npos ? text : text.substr(colon + 1));
}

void on_start(void* context, const char* name, const char** attributes) {
  auto& reader = *static_cast<Reader*>(context);
  if (reader.open.size() >= kDepthMax) return reader.stop("nested too deeply");
  if (++reader.elements > kElementsMax) return reader.stop("too many elements");
  XmlNode& node = reader.open.empty() ? reader.root : reader.open.back()->children.emplace_back();
  node.name = local_name(name);
  for (; *attributes; attributes += 2) node.attributes.emplace_back(attributes[0], attributes[1]);
  reader.open.push_back(&node);
}
void on_end(void* context, const char*) { static_cast<Reader*>(context)->open.pop_back(); }
void on_text(void* context, const char* text, int size) {
  auto& reader = *static_cast<Reader*>(context);
  if (!reader.open.empty()) reader.open.back()->text.append(text, static_cast<std::size_t>(size));
}
void on_doctype(void* context, const char*, const char*, const char*, int) {
  static_cast<Reader*>(context)->stop("a DOCTYPE is not accepted");
}

class XmlDecoder {
 public:
  explicit XmlDecoder(std::vector<std::string>& ignored) : ignored_(ignored) {}

  void value(const Shape& shape, const XmlNode& node, void* out) {
    switch (shape.kind) {
      case Kind::kStructure: return structure(shape, node, out);
      case Kind::kList:
        for (const XmlNode& child : node.children) {
          if (child.name == shape.element_wire) value(*shape.element, child, shape.list->add(out));
          else ignore(node, child.name);
        }
        return;
      case Kind::kMap:
        for (const XmlNode& child : node.children) entry(shape, child, out);
        return;
      case Kind::kDocument: case Kind::kOverride: case Kind::kStream: case Kind::kEventStream:
        throw DecodeError(fmt::format("{} cannot be read from XML", shape.name));
      case Kind::kString: case Kind::kBlob: case Kind::kInteger: case Kind::kLong: case Kind::kDouble:
      case Kind::kBoolean: case Kind::kTimestamp:
        if (auto error = scalar_from_text(shape, node.text, out)) throw DecodeError(node.name + ": " + *error);
    }
  }

 private:
  void ignore(const XmlNode& parent, std::string_view name) {
    if (ignored_.size() < kIgnoredMax) ignored_.push_back(parent.name + "." + std::string(name.substr(0, 200)));
  }

  void entry(const Shape& shape, const XmlNode& node, void* out) {
    std::string key;
    const XmlNode* item = nullptr;
    for (const XmlNode& child : node.children) {
      if (child.name == shape.key_wire) key = child.text;
      if (child.name == shape.value_wire) item = &child;
    }
    if (item) value(*shape.element, *item, shape.map->add(out, std::move(key)));
  }

  void structure(const Shape& shape, const XmlNode& node, void* out) {
    std::map<const Member*, void*> started;  // flattened lists come as repeated elements
    for (const XmlNode& child : node.children) {
      const Member* member = nullptr;
      for (const Member& m : shape.members) {
        if (m.location != Location::kBody || m.xml_attribute) continue;
        const bool flat_list = m.shape->kind == Kind::kList && (m.flattened || m.shape->flattened);
        if (m.wire == child.name || (flat_list && m.shape->element_wire != "member" && m.shape->element_wire == child.name)) member = &m;
      }
      if (!member) { ignore(node, child.name); continue; }
      void*& field = started[member];
      if (!field) field = member->emplace_in(out);
      const bool flat = member->flattened || member->shape->flattened;
      if (flat && member->shape->kind == Kind::kList) value(*member->shape->element, child, member->shape->list->add(field));
      else if (flat && member->shape->kind == Kind::kMap) entry(*member->shape, child, field);
      else value(*member->shape, child, field);
    }
    for (const Member& m : shape.members) {
      if (!m.xml_attribute) continue;
      for (const auto& [name, text] : node.attributes) {
        if (name == m.wire || name == local_name(std::string(m.wire).c_str())) scalar_from_text(*m.shape, text, m.emplace_in(out));
      }
    }
  }

  std::vector<std::string>& ignored_;
};

// The prefix of a structure's namespace is the one that its attributes have ("xsi:type").
std::string_view attribute_prefix(const Shape& shape) {
  for (const Member& m : shape.members) {
    if (const std::size_t colon = m.wire.find(':'); m.xml_attribute && colon != m.wire.npos) return m.wire.substr(0, colon);
  }
  return {};
}

void open_tag(std::string_view name, const Shape& shape, const void* value, const Member* member, std::string& out) {
  (out += '<') += name;
  std::string_view ns = member && !member->xml_namespace.empty() ? member->xml_namespace : shape.xml_namespace;
  if (!ns.empty()) {
    out += " xmlns";
    const std::string_view prefix = member && !member->xml_namespace_prefix.empty() ? member->xml_namespace_prefix : attribute_prefix(shape);
    if (!prefix.empty()) (out += ':') += prefix;
    (out += "=\"").append(ns) += '"';
  }
  for (const Member& m : shape.members) {
    const void* field = m.xml_attribute ? m.value_in(value) : nullptr;
    if (!field) continue;
    (out += ' ').append(m.wire) += "=\"";
    write_xml_text(scalar_to_text(*m.shape, field, m.timestamp, TimestampFormat::kIso8601), out);
    out += '"';
  }
  out += '>';
}

struct EntryWriter {
  const Shape& shape;
  std::string_view name;
  std::string& out;
};

void write_map(std::string_view name, const Shape& shape, const void* value, std::string& out) {
  EntryWriter writer{shape, name, out};
  shape.map->each(value, &writer, [](void* context, const std::string& key, const void* item) {
    auto& w = *static_cast<EntryWriter*>(context);
    (w.out += '<').append(w.name) += '>';
    (w.out += '<').append(w.shape.key_wire) += '>';
    write_xml_text(key, w.out);
    (w.out += "</").append(w.shape.key_wire) += '>';
    write_xml_element(w.shape.value_wire, *w.shape.element, item, nullptr, w.out);
    (w.out += "</").append(w.name) += '>';
  });
}

}  // namespace

void write_xml_text(std::string_view text, std::string& out) {
  // What a caller sent may be any bytes, and comes back in errors: the document must be readable all the same.
  std::string mended;
  if (!is_utf8(text)) text = mended = to_utf8(text);
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\r': out += "&#13;"; break;
      case '\t': case '\n': out += c; break;
      default:
        // XML 1.0 has no spelling for other control characters.
        if (static_cast<unsigned char>(c) < 0x20) out += "\xEF\xBF\xBD";
        else out += c;
    }
  }
}

void write_xml_element(std::string_view name, const Shape& shape, const void* value, const Member* member, std::string& out) {
  const bool flat = shape.flattened || (member && member->flattened);
  if (shape.kind == Kind::kList && flat) {
    const std::string_view item = shape.element_wire == "member" ? name : shape.element_wire;
    for (std::size_t i = 0; i < shape.list->size(value); ++i) write_xml_element(item, *shape.element, shape.list->at(value, i), nullptr, out);
    return;
  }
  if (shape.kind == Kind::kMap && flat) return write_map(name, shape, value, out);
  open_tag(name, shape, value, member, out);
  switch (shape.kind) {
    case Kind::kStructure: write_xml_members(shape, value, out); break;
    case Kind::kList:
      for (std::size_t i = 0; i < shape.list->size(value); ++i) {
        write_xml_element(shape.element_wire, *shape.element, shape.list->at(value, i), nullptr, out);
      }
      break;
    case Kind::kMap: write_map("entry", shape, value, out); break;
    default:
      write_xml_text(scalar_to_text(shape, value, member ? format_of(*member) : shape.timestamp, TimestampFormat::kIso8601), out);
  }
  (out += "</").append(name) += '>';
}

void write_xml_members(const Shape& shape, const void* value, std::string& out) {
  for (const Member& m : shape.members) {
    if (m.location != Location::kBody || m.xml_attribute) continue;
    if (const void* field = m.value_in(value)) write_xml_element(m.wire, *m.shape, field, &m, out);
  }
}

std::expected<XmlNode, std::string> parse_xml(std::string_view text) {
  if (text.size() > (64u << 20)) return std::unexpected("the document is too large");
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate("UTF-8"), &XML_ParserFree);
  if (!parser) throw std::bad_alloc();
  Reader reader{parser.get(), {}, {}, 0, {}};
  XML_SetUserData(parser.get(), &reader);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE) != XML_STATUS_OK) {
    if (reader.error.empty()) reader.error = XML_ErrorString(XML_GetErrorCode(parser.get()));
    return std::unexpected(fmt::format("line {}: {}", XML_GetCurrentLineNumber(parser.get()), reader.error));
  }
  return std::move(reader.root);
}

void decode_xml(const Shape& shape, const XmlNode& node, void* out, std::vector<std::string>& ignored) {
  XmlDecoder(ignored).value(shape, node, out);
}

}  // namespace parvis::aws
