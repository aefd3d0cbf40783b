#include "services/dynamodb/import_reader.h"

#include <boost/json.hpp>

#include "core/hash.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
constexpr std::size_t kJsonDepthMax = 256;

std::expected<AttributeValue, std::string> value_of_type(Type type, std::string text) {
  if (type == Type::kS) return AttributeValue::string(std::move(text));
  if (type == Type::kN) {
    std::expected<Number, std::string> number = Number::parse(text);
    if (!number) return std::unexpected(number.error());
    return AttributeValue::number(std::move(*number));
  }
  std::optional<std::string> bytes = base64_decode(text);
  if (!bytes) return std::unexpected("A binary key is not base64");
  return AttributeValue{Binary{std::move(*bytes)}};
}

Type type_of(const TableRecord& table, const std::string& name) {
  for (const KeyAttribute& key : table.keys.attributes()) {
    if (key.name == name) return key.type;
  }
  for (const IndexRecord& index : table.indexes) {
    for (const KeyAttribute& key : index.keys.attributes()) {
      if (key.name == name) return key.type;
    }
  }
  return Type::kS;
}

}  // namespace

void LineReader::feed(std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + part.size() > kImportRowBytesMax) too_long_ = true;
    if (!too_long_) line_ += part;
    if (end == bytes.npos) return;
    bytes.remove_prefix(end + 1);
    finish(take);
  }
}

void LineReader::finish(const Take& take) {
  if (line_.ends_with('\r')) line_.pop_back();
  if (!line_.empty() || too_long_) take(line_, too_long_);
  line_.clear();
  too_long_ = false;
}

void CsvReader::feed(std::string_view bytes, const Take& take) {
  for (const char c : bytes) {
    if (size_ <= kImportRowBytesMax) ++size_;
    const bool full = size_ > kImportRowBytesMax;
    if (quoted_) {
      if (c == '"') {
        quoted_ = false;
        after_quote_ = true;
      } else if (!full) {
        fields_.back() += c;
      }
      continue;
    }
    if (c == '"' && (fields_.back().empty() || after_quote_)) {
      if (after_quote_) fields_.back() += '"';  // a doubled one
      quoted_ = true;
    } else if (c == delimiter_) {
      if (!full) fields_.emplace_back();
    } else if (c == '\n') {
      end_record(take);
    } else if (c != '\r' && !full) {
      fields_.back() += c;
    }
    after_quote_ = false;
  }
}

void CsvReader::end_record(const Take& take) {
  const bool too_long = size_ > kImportRowBytesMax;
  const bool blank = fields_.size() == 1 && fields_[0].empty() && !too_long;
  std::vector<std::string> record = std::exchange(fields_, std::vector<std::string>(1));
  size_ = 0;
  after_quote_ = quoted_ = false;
  if (!blank) take(std::move(record), too_long);
}

void CsvReader::finish(const Take& take) {
  if (size_ > 0) end_record(take);
}

void items_of_line(std::string_view line, const TakeItem& take) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::stream_parser parser({}, options);
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty()) return;
    boost::system::error_code error;
    parser.reset();
    line.remove_prefix(parser.write_some(line.data(), line.size(), error));
    if (error || !parser.done()) return take(std::unexpected("The line is not JSON"));
    const json::value parsed = parser.release();
    const json::object* object = parsed.if_object();
    const json::value* item = object ? object->if_contains("Item") : nullptr;
    if (item && item->is_object()) take(item_of_wire(item->get_object()));
    else take(std::unexpected("The line has no member Item"));
  }
}

std::expected<Item, std::string> item_of_wire(const json::object& members) {
  Item out;
  for (const auto& [name, value] : members) {
    try {
      auto attribute = attribute_from_json(value);
      if (!attribute) return std::unexpected(attribute.error());
      out.insert_or_assign(std::string(name), std::move(*attribute));
    } catch (const aws::ApiError& refused) {
      return std::unexpected(refused.message());
    }
  }
  return out;
}

std::expected<Item, std::string> item_of_record(const TableRecord& table, const std::vector<std::string>& header,
                                                std::vector<std::string> fields) {
  if (fields.size() > header.size()) return std::unexpected("The record has more fields than the header");
  Item out;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    auto value = value_of_type(type_of(table, header[i]), std::move(fields[i]));
    if (!value) return std::unexpected(value.error());
    out.insert_or_assign(header[i], std::move(*value));
  }
  return out;
}

}  // namespace parvis::dynamodb
