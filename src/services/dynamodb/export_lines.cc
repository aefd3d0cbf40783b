#include "services/dynamodb/export_lines.h"

#include "services/dynamodb/ion_text.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;

void append_json(const Item& item, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : item) {
    if (!first) out += ',';
    first = false;
    out += json::serialize(json::string_view(name.data(), name.size()));
    out += ':';
    attribute_to_json(value, out);
  }
  out += '}';
}

}  // namespace

void ExportLines::member(std::string_view name, const Item& item, std::string& out) const {
  if (out.back() != '{') out += ',';
  if (ion_) {
    (out += name) += ':';
    append_ion(item, out);
  } else {
    ((out += '"') += name) += "\":";
    append_json(item, out);
  }
}

std::string ExportLines::item(const Item& item) const {
  std::string line = ion_ ? "$ion_1_0 {" : "{";
  member("Item", item, line);
  return line + "}\n";
}

std::string ExportLines::change(const ExportedChange& change) const {
  std::string line = ion_ ? "$ion_1_0 {" : "{";
  member("Metadata", {{"WriteTimestampMicros", AttributeValue::number(Number::from_int(change.changed_ms * 1000))}}, line);
  member("Keys", change.keys, line);
  if (change.old_image) member("OldImage", *change.old_image, line);
  if (change.new_image) member("NewImage", *change.new_image, line);
  return line + "}\n";
}

}  // namespace parvis::dynamodb
