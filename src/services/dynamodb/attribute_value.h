// dynamodb/attribute_value.h: the values of items, their JSON and stored forms, and their size as DynamoDB counts it.
// Sources: Developer Guide, "Supported data types", "Item sizes and formats"; API Reference, AttributeValue.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/json.hpp>

#include "services/dynamodb/number.h"

namespace parvis::aws {
template <class T>
struct Codec;  // aws/model.h
}

namespace parvis::dynamodb {

inline constexpr std::size_t kItemSizeBytesMax = 400 * 1024;
inline constexpr int kNestingDepthMax = 32;

struct AttributeValue;
using AttributeMap = std::map<std::string, AttributeValue>;
using Item = AttributeMap;

struct Binary {
  std::string bytes;
  auto operator<=>(const Binary&) const = default;
};
struct Null {
  bool operator==(const Null&) const = default;
};
// Sets are kept sorted and without duplicates.
struct StringSet {
  std::vector<std::string> values;
  bool operator==(const StringSet&) const = default;
};
struct NumberSet {
  std::vector<Number> values;
  bool operator==(const NumberSet&) const = default;
};
struct BinarySet {
  std::vector<Binary> values;
  bool operator==(const BinarySet&) const = default;
};

// In the order of the variant's alternatives.
enum class Type : std::uint8_t { kS, kN, kB, kBool, kNull, kL, kM, kSS, kNS, kBS };
std::string_view to_string(Type type);  // "S", "BOOL", …

struct AttributeValue {
  using List = std::vector<AttributeValue>;
  std::variant<std::string, Number, Binary, bool, Null, List, AttributeMap, StringSet, NumberSet, BinarySet> value;

  Type type() const { return static_cast<Type>(value.index()); }
  template <class T>
  const T* as() const { return std::get_if<T>(&value); }
  template <class T>
  T* as() { return std::get_if<T>(&value); }

  static AttributeValue string(std::string text) { return {std::move(text)}; }
  static AttributeValue number(Number n) { return {std::move(n)}; }
  static AttributeValue map(AttributeMap m) { return {std::move(m)}; }
};
bool operator==(const AttributeValue& a, const AttributeValue& b);

// The value of a wire form ({"S": "x"}). A wrong JSON shape is the returned error (a SerializationException); a value
// that DynamoDB refuses (a bad number, an empty or duplicated set, no type or two) throws ValidationException with its
// message. Depth is bounded.
std::expected<AttributeValue, std::string> attribute_from_json(const boost::json::value& json);
void attribute_to_json(const AttributeValue& value, std::string& out);
boost::json::value attribute_to_json(const AttributeValue& value);
boost::json::object item_to_json(const AttributeMap& item);
// {S:a} as it stands in messages: "AttributeValue: {S:a}" without the first word.
std::string to_message(const AttributeValue& value);

std::size_t size_bytes(const AttributeValue& value);
std::size_t item_size_bytes(const AttributeMap& item);  // names included
int nesting_depth(const AttributeMap& item);            // of maps and lists; a scalar is 1

// The stored form; version in its first byte.
std::string encode_item(const AttributeMap& item);
std::expected<AttributeMap, std::string> decode_item(std::string_view bytes);

}  // namespace parvis::dynamodb

template <>
struct parvis::aws::Codec<parvis::dynamodb::AttributeValue> {
  static std::expected<parvis::dynamodb::AttributeValue, std::string> from_json(const boost::json::value& json) {
    return parvis::dynamodb::attribute_from_json(json);
  }
  static void to_json(const parvis::dynamodb::AttributeValue& value, std::string& out) {
    parvis::dynamodb::attribute_to_json(value, out);
  }
};
