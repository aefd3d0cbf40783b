// aws/xml.h: XML as the query and rest-xml protocols need it: a writer to text and a small tree of what was read.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "aws/model.h"

namespace parvis::aws {

void write_xml_text(std::string_view text, std::string& out);  // escaped for content and attributes
// Writes the members of a structure that stand in the body, each as an element.
void write_xml_members(const Shape& shape, const void* value, std::string& out);
// Writes one value as element `name`; `member` (may be null) says flattening, attributes and namespaces.
void write_xml_element(std::string_view name, const Shape& shape, const void* value, const Member* member, std::string& out);

struct XmlNode {
  std::string name;  // without its prefix
  std::string text;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<XmlNode> children;
};
// Limits: 100 levels, 200,000 elements; a DOCTYPE is refused. The error says where.
std::expected<XmlNode, std::string> parse_xml(std::string_view text);
// Fills a structure from the element's children; unknown ones go to `ignored`. Throws DecodeError.
void decode_xml(const Shape& shape, const XmlNode& node, void* out, std::vector<std::string>& ignored);

}  // namespace parvis::aws
