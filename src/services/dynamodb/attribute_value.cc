#include "services/dynamodb/attribute_value.h"

#include <algorithm>
#include <map>

#include "core/hash.h"
#include "core/json_text.h"
#include "services/dynamodb/errors.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
using Parsed = std::expected<AttributeValue, std::string>;
// A client may send deeper values than an item can hold; they are refused by the item's own rule, this bounds the stack.
constexpr int kJsonDepthMax = 64;
constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

Parsed parse_value(const json::value& value, int depth);

// What every operation words alike, some of them in the envelope of model validation.
[[noreturn]] void refuse_value(std::string message) {
  std::string older = message;
  throw aws::ValueError(kValidation, std::move(message), std::move(older));
}

std::unexpected<std::string> wrong_json(std::string_view type) {
  return std::unexpected("Unexpected value type in payload for AttributeValue member " + std::string(type));
}

Number checked_number(std::string_view text) {
  std::expected<Number, std::string> number = Number::parse(text);
  if (!number) {
    const std::string newer = number.error() + (text.empty() ? ": " : "");
    throw aws::ValueError(kValidation, newer, std::move(number.error()));
  }
  return std::move(*number);
}

template <class T>
bool sort_unique(std::vector<T>& values) {
  std::ranges::sort(values);
  return std::ranges::adjacent_find(values) == values.end();
}

// The strings of a set's array, in the order sent.
std::expected<std::vector<std::string>, std::string> parse_strings(const json::value& value, std::string_view type) {
  const json::array* array = value.if_array();
  if (!array) return wrong_json(type);
  std::vector<std::string> out;
  out.reserve(array->size());
  for (const json::value& element : *array) {
    const json::string* text = element.if_string();
    if (!text) return wrong_json(type);
    out.emplace_back(text->data(), text->size());
  }
  return out;
}

std::string joined(const std::vector<std::string>& values, std::string_view separator = ", ", std::string_view quote = "") {
  std::string out = "[";
  for (const std::string& value : values) ((((out += out.size() > 1 ? separator : "") += quote) += value) += quote);
  return out + "]";
}

// A set is named as the service built it until it met the member again: in byte order; the rest follows as sent.
// Source: paritysuite's dynamodb-conformance, tests/tier3/error-messages/valueLayers.test.ts.
[[noreturn]] void throw_duplicates(std::string_view type, const std::vector<std::string>& sent) {
  const std::string of_type = type == "BS" ? "of type BS" : "", begin = std::string(kInvalid) + "Input collection ", end = of_type + " contains duplicates.";
  if (type == "NS") throw aws::ValueError(kValidation, begin + "contains duplicates.", "Input collection contains duplicates");
  const auto order = [&](const std::string& text) { return type == "BS" ? base64_decode(text).value_or("") : text; };
  std::map<std::string, std::string> built;
  std::size_t next = 0;
  while (next < sent.size() && built.emplace(order(sent[next]), sent[next]).second) ++next;
  std::vector<std::string> shown;
  for (const auto& [key, text] : built) shown.push_back(text);
  shown.insert(shown.end(), sent.begin() + static_cast<std::ptrdiff_t>(next), sent.end());
  throw aws::ValueError(kValidation, begin + joined(shown, type == "BS" ? "," : ", ", "\"") + end, begin + joined(sent) + end);
}

Parsed parse_set(std::string_view type, const json::value& value) {
  auto strings = parse_strings(value, type);
  if (!strings) return std::unexpected(strings.error());
  if (strings->empty()) {
    if (type == "SS") refuse_value(std::string(kInvalid) + "An string set  may not be empty");
    if (type == "NS") refuse_value(std::string(kInvalid) + "An number set  may not be empty");
    refuse_value(std::string(kInvalid) + "Binary sets should not be empty");
  }
  if (type == "SS") {
    StringSet set{*strings};
    if (!sort_unique(set.values)) throw_duplicates(type, *strings);
    return AttributeValue{std::move(set)};
  }
  if (type == "NS") {
    NumberSet set;
    for (const std::string& text : *strings) set.values.push_back(checked_number(text));
    if (!sort_unique(set.values)) throw_duplicates(type, *strings);
    return AttributeValue{std::move(set)};
  }
  BinarySet set;
  for (const std::string& text : *strings) {
    std::optional<std::string> bytes = base64_decode(text);
    if (!bytes) return std::unexpected("Invalid base64 in a binary set");
    set.values.push_back({std::move(*bytes)});
  }
  if (!sort_unique(set.values)) throw_duplicates(type, *strings);
  return AttributeValue{std::move(set)};
}

Parsed parse_collection(std::string_view type, const json::value& value, int depth) {
  if (type == "L") {
    const json::array* array = value.if_array();
    if (!array) return wrong_json(type);
    AttributeValue::List list;
    list.reserve(array->size());
    for (const json::value& element : *array) {
      Parsed parsed = parse_value(element, depth + 1);
      if (!parsed) return parsed;
      list.push_back(std::move(*parsed));
    }
    return AttributeValue{std::move(list)};
  }
  const json::object* object = value.if_object();
  if (!object) return wrong_json(type);
  AttributeMap map;
  for (const auto& [name, element] : *object) {
    Parsed parsed = parse_value(element, depth + 1);
    if (!parsed) return parsed;
    map.insert_or_assign(std::string(name), std::move(*parsed));
  }
  return AttributeValue{std::move(map)};
}

Parsed parse_typed(std::string_view type, const json::value& value, int depth) {
  if (type == "S" || type == "N" || type == "B") {
    const json::string* text = value.if_string();
    if (!text) return wrong_json(type);
    const std::string_view view(text->data(), text->size());
    if (type == "S") return AttributeValue::string(std::string(view));
    if (type == "N") return AttributeValue::number(checked_number(view));
    std::optional<std::string> bytes = base64_decode(view);
    if (!bytes) return std::unexpected("Invalid base64 in a binary value");
    return AttributeValue{Binary{std::move(*bytes)}};
  }
  if (type == "BOOL") {
    const bool* flag = value.if_bool();
    if (!flag) return wrong_json(type);
    return AttributeValue{*flag};
  }
  if (type == "NULL") {
    const bool* flag = value.if_bool();
    if (!flag) return wrong_json(type);
    if (!*flag) refuse_value(std::string(kInvalid) + "Null attribute value types must have the value of true");
    return AttributeValue{Null{}};
  }
  if (type == "L" || type == "M") return parse_collection(type, value, depth);
  return parse_set(type, value);
}

bool is_type_name(std::string_view name) {
  constexpr std::string_view kNames[] = {"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

Parsed parse_value(const json::value& value, int depth) {
  if (depth > kJsonDepthMax) refuse_value(std::string(kTooDeepMessage));
  const json::object* object = value.if_object();
  if (!object) return std::unexpected("Unexpected value type in payload");
  const json::key_value_pair* typed = nullptr;
  for (const json::key_value_pair& member : *object) {
    if (member.value().is_null() || !is_type_name(member.key())) continue;  // as the JSON protocol drops them
    if (typed) {
      refuse_value(
          "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes");
    }
    typed = &member;
  }
  if (!typed) {
    refuse_value("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
  }
  return parse_typed(typed->key(), typed->value(), depth);
}

// Most text has nothing to escape, and is copied as it is.
void quote(std::string_view text, std::string& out) {
  if (is_plain_json(text)) {
    out.reserve(out.size() + text.size() + 2);
    out += '"';
    out += text;
    out += '"';
  } else {
    out += json::serialize(json::string_view(text.data(), text.size()));
  }
}

template <class Values, class Each>
void write_array(const Values& values, std::string& out, Each each) {
  out.push_back('[');
  bool first = true;
  for (const auto& value : values) {
    if (!first) out.push_back(',');
    first = false;
    each(value);
  }
  out.push_back(']');
}

struct JsonWriter {
  std::string& out;
  void operator()(const std::string& text) { quote(text, out); }
  void operator()(const Number& number) { ((out += '"') += number.text()) += '"'; }
  void operator()(const Binary& binary) { ((out += '"') += base64_encode(binary.bytes)) += '"'; }
  void operator()(bool flag) { out += flag ? "true" : "false"; }
  void operator()(Null) { out += "true"; }
  void operator()(const AttributeValue::List& list) {
    write_array(list, out, [&](const AttributeValue& element) { attribute_to_json(element, out); });
  }
  void operator()(const AttributeMap& map) {
    out.push_back('{');
    bool first = true;
    for (const auto& [name, value] : map) {
      if (!first) out.push_back(',');
      first = false;
      quote(name, out);
      out.push_back(':');
      attribute_to_json(value, out);
    }
    out.push_back('}');
  }
  void operator()(const StringSet& set) { write_array(set.values, out, *this); }
  void operator()(const NumberSet& set) { write_array(set.values, out, *this); }
  void operator()(const BinarySet& set) { write_array(set.values, out, *this); }
};

struct SizeCounter {
  std::size_t operator()(const std::string& text) const { return text.size(); }
  std::size_t operator()(const Number& number) const { return number.size_bytes(); }
  std::size_t operator()(const Binary& binary) const { return binary.bytes.size(); }
  std::size_t operator()(bool) const { return 1; }
  std::size_t operator()(Null) const { return 1; }
  std::size_t operator()(const AttributeValue::List& list) const {
    std::size_t total = 3;
    for (const AttributeValue& element : list) total += 1 + dynamodb::size_bytes(element);
    return total;
  }
  std::size_t operator()(const AttributeMap& map) const { return 3 + map.size() + item_size_bytes(map); }
  template <class Set>
  std::size_t operator()(const Set& set) const {
    std::size_t total = 0;
    for (const auto& value : set.values) total += (*this)(value);
    return total;
  }
};

int depth_of(const AttributeValue& value) {
  int deepest = 0;
  if (const auto* list = value.as<AttributeValue::List>()) {
    for (const AttributeValue& element : *list) deepest = std::max(deepest, depth_of(element));
  } else if (const auto* map = value.as<AttributeMap>()) {
    for (const auto& [name, element] : *map) deepest = std::max(deepest, depth_of(element));
  }
  return deepest + 1;
}

}  // namespace

std::string_view to_string(Type type) {
  constexpr std::string_view kNames[] = {"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"};
  return kNames[static_cast<std::size_t>(type)];
}

bool operator==(const AttributeValue& a, const AttributeValue& b) { return a.value == b.value; }

std::expected<AttributeValue, std::string> attribute_from_json(const json::value& value) { return parse_value(value, 1); }

void attribute_to_json(const AttributeValue& value, std::string& out) {
  out += "{\"";
  out += to_string(value.type());
  out += "\":";
  std::visit(JsonWriter{out}, value.value);
  out.push_back('}');
}

json::value attribute_to_json(const AttributeValue& value) {
  std::string text;
  attribute_to_json(value, text);
  json::parse_options options;
  options.max_depth = 256;
  return json::parse(text, {}, options);
}

json::object item_to_json(const AttributeMap& item) {
  json::object out;
  for (const auto& [name, value] : item) out[name] = attribute_to_json(value);
  return out;
}

std::string to_message(const AttributeValue& value) {
  std::string body;
  if (const auto* text = value.as<std::string>()) {
    body = *text;
  } else if (const auto* number = value.as<Number>()) {
    body = number->text();
  } else {
    std::visit(JsonWriter{body}, value.value);
  }
  return "{" + std::string(to_string(value.type())) + ":" + body + "}";
}

std::size_t size_bytes(const AttributeValue& value) { return std::visit(SizeCounter{}, value.value); }

std::size_t item_size_bytes(const AttributeMap& item) {
  std::size_t total = 0;
  for (const auto& [name, value] : item) total += name.size() + size_bytes(value);
  return total;
}

int nesting_depth(const AttributeMap& item) {
  int deepest = 0;
  for (const auto& [name, value] : item) deepest = std::max(deepest, depth_of(value));
  return deepest;
}

}  // namespace parvis::dynamodb
