// The stored form of items: a version byte, then the attributes of the top map. A string is its length (LEB128) and its
// bytes; a value is its type byte and body; lists, maps and sets begin with their count.
#include "services/dynamodb/attribute_value.h"

namespace parvis::dynamodb {
namespace {

constexpr char kFormatVersion = 1;

void put_count(std::size_t n, std::string& out) {
  for (; n >= 0x80; n >>= 7) out.push_back(static_cast<char>(n | 0x80));
  out.push_back(static_cast<char>(n));
}
void put_string(std::string_view text, std::string& out) {
  put_count(text.size(), out);
  out += text;
}
void put_map(const AttributeMap& map, std::string& out);

struct Writer {
  std::string& out;
  void operator()(const std::string& text) { put_string(text, out); }
  void operator()(const Number& number) { number.append_stored(out); }
  void operator()(const Binary& binary) { put_string(binary.bytes, out); }
  void operator()(bool flag) { out.push_back(flag ? 1 : 0); }
  void operator()(Null) {}
  void operator()(const AttributeValue::List& list) {
    put_count(list.size(), out);
    for (const AttributeValue& element : list) put(element);
  }
  void operator()(const AttributeMap& map) { put_map(map, out); }
  template <class Set>
  void operator()(const Set& set) {
    put_count(set.values.size(), out);
    for (const auto& value : set.values) (*this)(value);
  }
  void put(const AttributeValue& value) {
    out.push_back(static_cast<char>(value.value.index()));
    std::visit(*this, value.value);
  }
};

void put_map(const AttributeMap& map, std::string& out) {
  put_count(map.size(), out);
  for (const auto& [name, value] : map) {
    put_string(name, out);
    Writer{out}.put(value);
  }
}

class Reader {  // every count and length is checked against what is left
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool map(AttributeMap& out, int depth) {
    std::size_t n = 0;
    if (!count(n)) return false;
    for (std::size_t i = 0; i < n; ++i) {
      std::string name;
      AttributeValue element;
      if (!string(name) || !value(element, depth + 1)) return false;
      out.emplace_hint(out.end(), std::move(name), std::move(element));
    }
    return true;
  }
  bool at_end() const { return in_.empty(); }

 private:
  bool count(std::size_t& out) {
    out = 0;
    for (int shift = 0; shift < 35 && !in_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(in_[0]);
      in_.remove_prefix(1);
      out |= static_cast<std::size_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return out <= in_.size();
    }
    return false;
  }
  bool string(std::string& out) {
    std::size_t n = 0;
    if (!count(n)) return false;
    out.assign(in_.substr(0, n));
    in_.remove_prefix(n);
    return true;
  }
  bool number(Number& out) {
    auto parsed = Number::take_stored(in_);
    if (parsed) out = std::move(*parsed);
    return parsed.has_value();
  }
  bool binary(Binary& out) { return string(out.bytes); }
  template <class T>
  bool set(std::vector<T>& out, bool (Reader::*read)(T&)) {
    std::size_t n = 0;
    if (!count(n)) return false;
    out.resize(n);
    for (T& element : out) {
      if (!(this->*read)(element)) return false;
    }
    return true;
  }
  bool list(AttributeValue::List& out, int depth) {
    std::size_t n = 0;
    if (!count(n)) return false;
    out.resize(n);
    for (AttributeValue& element : out) {
      if (!value(element, depth + 1)) return false;
    }
    return true;
  }
  bool value(AttributeValue& out, int depth) {
    if (in_.empty() || depth > 2 * kNestingDepthMax) return false;
    const auto type = static_cast<Type>(in_[0]);
    in_.remove_prefix(1);
    switch (type) {
      case Type::kS: return string(out.value.emplace<std::string>());
      case Type::kN: return number(out.value.emplace<Number>());
      case Type::kB: return binary(out.value.emplace<Binary>());
      case Type::kBool:
        if (in_.empty()) return false;
        out.value = in_[0] != 0;
        in_.remove_prefix(1);
        return true;
      case Type::kNull: out.value = Null{}; return true;
      case Type::kL: return list(out.value.emplace<AttributeValue::List>(), depth);
      case Type::kM: return map(out.value.emplace<AttributeMap>(), depth);
      case Type::kSS: return set(out.value.emplace<StringSet>().values, &Reader::string);
      case Type::kNS: return set(out.value.emplace<NumberSet>().values, &Reader::number);
      case Type::kBS: return set(out.value.emplace<BinarySet>().values, &Reader::binary);
    }
    return false;
  }

  std::string_view in_;
};

}  // namespace

std::string encode_item(const AttributeMap& item) {
  std::string out(1, kFormatVersion);
  put_map(item, out);
  return out;
}

std::expected<AttributeMap, std::string> decode_item(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != kFormatVersion) return std::unexpected("unknown format of a stored item");
  Reader reader(bytes.substr(1));
  AttributeMap item;
  if (!reader.map(item, 0) || !reader.at_end()) return std::unexpected("a stored item is damaged");
  return item;
}

}  // namespace parvis::dynamodb
