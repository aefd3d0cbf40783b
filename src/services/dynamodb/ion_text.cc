#include "services/dynamodb/ion_text.h"

#include <array>
#include <optional>

#include <fmt/format.h>

#include "core/hash.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 4> kKeywords{"null", "true", "false", "nan"};

std::string json_text(std::string_view text) { return json::serialize(json::string_view(text.data(), text.size())); }

bool is_symbol_letter(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (!first && c >= '0' && c <= '9');
}

// A name that needs no quotes. $10 would be the tenth symbol of the symbol table, $ion_1_0 the version.
bool is_plain(std::string_view name) {
  if (name.empty() || name[0] == '$') return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_symbol_letter(name[i], i == 0)) return false;
  }
  return std::ranges::find(kKeywords, name) == kKeywords.end();
}

void append_name(std::string_view name, std::string& out) {
  if (is_plain(name)) {
    out += name;
    return;
  }
  // JSON's escapes are Ion's, too.
  const std::string quoted = json_text(name);
  out += '\'';
  for (const char c : std::string_view(quoted).substr(1, quoted.size() - 2)) {
    if (c == '\'') out += '\\';
    out += c;
  }
  out += '\'';
}

// 103., 1.5, 2d3: as Ion's own libraries write decimals.
void append_decimal(const Number& number, std::string& out) {
  const std::string_view digits = number.digits();
  if (digits.empty()) {
    out += "0.";
    return;
  }
  if (number.negative()) out += '-';
  const int size = static_cast<int>(digits.size()), exponent = number.exponent() - size + 1;
  const int whole = size + exponent;  // digits before the point
  if (exponent > 0) {
    out += fmt::format("{}d{}", digits, exponent);
  } else if (whole > 0) {
    ((out += digits.substr(0, static_cast<std::size_t>(whole))) += '.') += digits.substr(static_cast<std::size_t>(whole));
  } else if (whole > -6) {
    ((out += "0.") += std::string(static_cast<std::size_t>(-whole), '0')) += digits;
  } else {
    out += fmt::format("{}d{}", digits, exponent);
  }
}

struct Writer {
  std::string& out;
  void operator()(const std::string& text) { out += json_text(text); }
  void operator()(const Number& number) { append_decimal(number, out); }
  void operator()(const Binary& binary) { ((out += "{{") += base64_encode(binary.bytes)) += "}}"; }
  void operator()(bool flag) { out += flag ? "true" : "false"; }
  void operator()(Null) { out += "null"; }
  void operator()(const AttributeValue::List& list) {
    sequence(list, [this](const AttributeValue& element) { std::visit(*this, element.value); });
  }
  void operator()(const AttributeMap& map) { append_ion(map, out); }
  void operator()(const StringSet& set) { annotated("$dynamodb_SS::", set.values); }
  void operator()(const NumberSet& set) { annotated("$dynamodb_NS::", set.values); }
  void operator()(const BinarySet& set) { annotated("$dynamodb_BS::", set.values); }

 private:
  template <class Values>
  void annotated(std::string_view annotation, const Values& values) {
    out += annotation;
    sequence(values, *this);
  }
  template <class Values, class Each>
  void sequence(const Values& values, Each each) {
    out += '[';
    bool first = true;
    for (const auto& value : values) {
      if (!first) out += ',';
      first = false;
      each(value);
    }
    out += ']';
  }
};

}  // namespace

void append_ion(const Item& item, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : item) {
    if (!first) out += ',';
    first = false;
    append_name(name, out);
    out += ':';
    std::visit(Writer{out}, value.value);
  }
  out += '}';
}

}  // namespace parvis::dynamodb
