// dynamodb/import_reader.h: the rows of an imported file, cut out of pieces of its bytes.
// Source: Developer Guide, "Amazon S3 import formats for DynamoDB".
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/dynamodb/table.h"

namespace parvis::dynamodb {

// An item is at most 400 KB; escapes and base64 make its line longer. A longer row is an error, and the rest of it is skipped.
inline constexpr std::size_t kImportRowBytesMax = 8u << 20;

// Lines, without their ends. Empty ones are left out.
class LineReader {
 public:
  using Take = std::function<void(std::string_view line, bool too_long)>;
  void feed(std::string_view bytes, const Take& take);
  void finish(const Take& take);

 private:
  std::string line_;
  bool too_long_ = false;
};

// Records of RFC 4180: quoted fields may hold delimiters, line ends and doubled quotes.
class CsvReader {
 public:
  using Take = std::function<void(std::vector<std::string> fields, bool too_long)>;
  explicit CsvReader(char delimiter) : delimiter_(delimiter) {}
  void feed(std::string_view bytes, const Take& take);
  void finish(const Take& take);

 private:
  void end_record(const Take& take);

  char delimiter_;
  std::vector<std::string> fields_{1};
  std::size_t size_ = 0;
  bool quoted_ = false, after_quote_ = false;
};

// Names and wire forms: {"p":{"S":"x"}}. The error says what is wrong, here and below.
std::expected<Item, std::string> item_of_wire(const boost::json::object& members);
// {"Item":{…}}, mostly one: DynamoDB takes several that follow each other without a line end, too.
using TakeItem = std::function<void(std::expected<Item, std::string>)>;
void items_of_line(std::string_view line, const TakeItem& take);
// Attributes that are keys of the table or an index take their type, all others are strings.
std::expected<Item, std::string> item_of_record(const TableRecord& table, const std::vector<std::string>& header,
                                                std::vector<std::string> fields);

}  // namespace parvis::dynamodb
