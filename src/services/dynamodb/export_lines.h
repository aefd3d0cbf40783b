// dynamodb/export_lines.h: the lines of exported files, in DynamoDB's JSON or as Ion text.
// Source: Developer Guide, "DynamoDB table export output format".
#pragma once

#include <optional>
#include <string>

#include "services/dynamodb/attribute_value.h"

namespace parvis::dynamodb {

// What an incremental export holds of an item that changed in its time; never without both images.
struct ExportedChange {
  std::int64_t changed_ms = 0;
  Item keys;
  std::optional<Item> old_image, new_image;
};

class ExportLines {
 public:
  explicit ExportLines(bool ion) : ion_(ion) {}
  // With the line's end.
  std::string item(const Item& item) const;
  std::string change(const ExportedChange& change) const;
  std::string file_end() const { return ion_ ? ".ion.gz" : ".json.gz"; }

 private:
  void member(std::string_view name, const Item& item, std::string& out) const;
  bool ion_;
};

}  // namespace parvis::dynamodb
