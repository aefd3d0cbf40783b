// Wording of errors: Coral's, as DynamoDB answers them (dynalite's tests record them from the service).
#include "aws/json_codec.h"

#include <cmath>
#include <limits>

#include <boost/json.hpp>
#include <fmt/compile.h>
#include <fmt/format.h>

#include "aws/member_text.h"
#include "core/ascii.h"
#include "core/hash.h"
#include "core/json_text.h"

namespace parvis::aws {
namespace {

namespace json = boost::json;
constexpr std::size_t kIgnoredMax = 100;

std::string_view token_name(const json::value& v) {
  switch (v.kind()) {
    case json::kind::bool_: return v.get_bool() ? "TRUE_VALUE" : "FALSE_VALUE";
    case json::kind::int64: case json::kind::uint64: return "NUMBER_VALUE";
    case json::kind::double_: return "DECIMAL_VALUE";
    case json::kind::string: return "STRING_VALUE";
    case json::kind::array: return "START_ARRAY";
    case json::kind::object: return "START_OBJECT";
    case json::kind::null: return "NULL_VALUE";
  }
  return "NULL_VALUE";
}

[[noreturn]] void refuse(const json::value& v, std::string_view type) {
  if (v.is_object()) throw DecodeError("Start of structure or map found where not expected");
  if (v.is_array()) throw DecodeError("Start of list found where not expected");
  throw DecodeError(fmt::format("{} cannot be converted to {}", token_name(v), type));
}

template <class T>
T whole_number(const json::value& v, std::string_view type) {
  if (const auto* i = v.if_int64(); i && *i >= std::numeric_limits<T>::min() && *i <= std::numeric_limits<T>::max()) {
    return static_cast<T>(*i);
  }
  // "1e3" and "5.0" are whole numbers that the parser gives as doubles.
  if (const auto* d = v.if_double(); d && *d == std::floor(*d) && std::fabs(*d) < 9e15 &&
                                     *d >= static_cast<double>(std::numeric_limits<T>::min()) &&
                                     *d <= static_cast<double>(std::numeric_limits<T>::max())) {
    return static_cast<T>(*d);
  }
  if (v.is_number() && !v.is_double()) throw DecodeError(fmt::format("{} is out of the range of {}", json::serialize(v), type));
  refuse(v, type);
}

double floating_number(const json::value& v) {
  if (v.is_number()) {
    const double number = v.to_number<double>();
    if (!std::isfinite(number)) throw DecodeError("a number is outside of what a Double can hold");  // 1e999: not JSON any more when written back
    return number;
  }
  if (const auto* s = v.if_string()) {
    if (*s == "NaN") return NAN;
    if (*s == "Infinity") return INFINITY;
    if (*s == "-Infinity") return -INFINITY;
  }
  refuse(v, "Double");
}

std::string blob_of(const json::value& v) {
  const auto* text = v.if_string();
  if (!text) {
    if (v.is_primitive()) throw DecodeError("only base64-encoded data is supported");
    refuse(v, "ByteBuffer");
  }
  auto bytes = base64_decode(std::string_view(text->data(), text->size()));
  if (bytes) return std::move(*bytes);
  if (text->size() % 4 != 0) {
    throw DecodeError(fmt::format("Base64 encoded length is expected a multiple of 4 bytes but found: {}", text->size()));
  }
  throw DecodeError("Invalid Base64 character or padding found");
}

Timestamp timestamp_of(const json::value& v) {
  if (v.is_number()) return {v.to_number<double>()};
  if (const auto* s = v.if_string()) {
    if (auto time = timestamp_from_text(std::string_view(s->data(), s->size()))) return *time;
  }
  refuse(v, "Timestamp");
}

bool same_but_first_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && !a.empty() && to_lower(a[0]) == to_lower(b[0]) && a.substr(1) == b.substr(1);
}

class Decoder {
 public:
  Decoder(std::vector<std::string>& ignored, JsonNames names) : ignored_(ignored), names_(names) {}

  void value(const Shape& shape, const json::value& v, void* out) {
    switch (shape.kind) {
      case Kind::kString:
        if (const auto* s = v.if_string()) { static_cast<std::string*>(out)->assign(s->data(), s->size()); return; }
        refuse(v, "String");
      case Kind::kBlob: *static_cast<std::string*>(out) = blob_of(v); return;
      case Kind::kStream: static_cast<Body*>(out)->bytes = blob_of(v); return;
      case Kind::kEventStream: return;  // only in answers, and only as a stream
      case Kind::kInteger: *static_cast<int*>(out) = whole_number<int>(v, "Integer"); return;
      case Kind::kLong: *static_cast<std::int64_t*>(out) = whole_number<std::int64_t>(v, "Long"); return;
      case Kind::kDouble: *static_cast<double*>(out) = floating_number(v); return;
      case Kind::kBoolean:
        if (const auto* b = v.if_bool()) { *static_cast<bool*>(out) = *b; return; }
        refuse(v, "Boolean");
      case Kind::kTimestamp: *static_cast<Timestamp*>(out) = timestamp_of(v); return;
      case Kind::kDocument: *static_cast<json::value*>(out) = json::value(v, json::storage_ptr{}); return;
      case Kind::kOverride:
        if (auto error = shape.override_ops->from_json(v, out)) throw DecodeError(std::move(*error));
        return;
      case Kind::kList: return list(shape, v, out);
      case Kind::kMap: return map(shape, v, out);
      case Kind::kStructure: return structure(shape, v, out);
    }
  }

 private:
  void list(const Shape& shape, const json::value& v, void* out) {
    const auto* array = v.if_array();
    if (!array) {
      if (v.is_object()) refuse(v, "List");
      throw DecodeError("Expected list or null");
    }
    const std::size_t mark = path_.size();
    for (std::size_t i = 0; i < array->size(); ++i) {
      if ((*array)[i].is_null()) continue;  // AWS's lists hold no nulls
      fmt::format_to(std::back_inserter(path_), FMT_COMPILE("[{}]"), i);
      value(*shape.element, (*array)[i], shape.list->add(out));
      path_.resize(mark);
    }
  }

  void map(const Shape& shape, const json::value& v, void* out) {
    const auto* object = v.if_object();
    if (!object) {
      if (v.is_array()) refuse(v, "Map");
      throw DecodeError("Expected map or null");
    }
    const std::size_t mark = path_.size();
    for (const auto& [key, item] : *object) {
      if (item.is_null()) continue;
      (path_ += '.').append(key.data(), key.size());
      value(*shape.element, item, shape.map->add(out, std::string(key)));
      path_.resize(mark);
    }
  }

  const Member* find(const Shape& shape, std::string_view key) const {
    for (const Member& m : shape.members) {
      if (names_ == JsonNames::kWire ? m.wire == key && m.location == Location::kBody : m.name == key) return &m;
    }
    if (names_ == JsonNames::kModelled) {
      for (const Member& m : shape.members) {
        if (same_but_first_case(m.name, key) || m.wire == key) return &m;
      }
    }
    return nullptr;
  }

  void structure(const Shape& shape, const json::value& v, void* out) {
    const auto* object = v.if_object();
    if (!object) {
      if (v.is_array()) refuse(v, shape.name);
      throw DecodeError("Unexpected field type");
    }
    const std::size_t mark = path_.size();
    for (const auto& [key, item] : *object) {
      const Member* member = find(shape, key);
      if (!path_.empty()) path_ += '.';
      path_.append(key.data(), key.size());
      if (member && !item.is_null()) value(*member->shape, item, member->emplace_in(out));
      if (!member && key != "__type" && ignored_.size() < kIgnoredMax) ignored_.push_back(path_.substr(0, 500));
      path_.resize(mark);
    }
  }

  std::vector<std::string>& ignored_;
  JsonNames names_;
  std::string path_;
};

void encode_structure(const Shape& shape, const void* value, std::string& out, JsonNames names);

struct MapWriter {
  const Shape& element;
  std::string& out;
  JsonNames names;
  bool first = true;
};

void encode_value(const Shape& shape, const void* value, std::string& out, JsonNames names, TimestampFormat format) {
  switch (shape.kind) {
    case Kind::kString: write_json_string(*static_cast<const std::string*>(value), out); return;
    case Kind::kBlob: write_json_string(base64_encode(*static_cast<const std::string*>(value)), out); return;
    case Kind::kStream: write_json_string(base64_encode(static_cast<const Body*>(value)->bytes), out); return;
    case Kind::kEventStream: out += "null"; return;
    case Kind::kInteger: fmt::format_to(std::back_inserter(out), FMT_COMPILE("{}"), *static_cast<const int*>(value)); return;
    case Kind::kLong: fmt::format_to(std::back_inserter(out), FMT_COMPILE("{}"), *static_cast<const std::int64_t*>(value)); return;
    case Kind::kDouble: {
      const double number = *static_cast<const double*>(value);
      if (std::isfinite(number)) out += number_to_text(number);
      else write_json_string(number_to_text(number), out);
      return;
    }
    case Kind::kBoolean: out += *static_cast<const bool*>(value) ? "true" : "false"; return;
    case Kind::kTimestamp: {
      if (format == TimestampFormat::kDefault) format = shape.timestamp;
      const std::string text = timestamp_to_text(*static_cast<const Timestamp*>(value), format);
      if (format == TimestampFormat::kDefault || format == TimestampFormat::kUnix) out += text;
      else write_json_string(text, out);
      return;
    }
    case Kind::kDocument: out += json::serialize(*static_cast<const json::value*>(value)); return;
    case Kind::kOverride: shape.override_ops->to_json(value, out); return;
    case Kind::kList: {
      out += '[';
      const std::size_t size = shape.list->size(value);
      for (std::size_t i = 0; i < size; ++i) {
        if (i) out += ',';
        encode_value(*shape.element, shape.list->at(value, i), out, names, TimestampFormat::kDefault);
      }
      out += ']';
      return;
    }
    case Kind::kMap: {
      out += '{';
      MapWriter writer{*shape.element, out, names};
      shape.map->each(value, &writer, [](void* context, const std::string& key, const void* item) {
        auto& w = *static_cast<MapWriter*>(context);
        if (!std::exchange(w.first, false)) w.out += ',';
        write_json_string(key, w.out);
        w.out += ':';
        encode_value(w.element, item, w.out, w.names, TimestampFormat::kDefault);
      });
      out += '}';
      return;
    }
    case Kind::kStructure: encode_structure(shape, value, out, names); return;
  }
}

void encode_structure(const Shape& shape, const void* value, std::string& out, JsonNames names) {
  out += '{';
  bool first = true;
  for (const Member& m : shape.members) {
    if (names == JsonNames::kWire && m.location != Location::kBody) continue;
    const void* field = m.value_in(value);
    if (!field) continue;
    if (!std::exchange(first, false)) out += ',';
    (out += '"').append(names == JsonNames::kWire ? m.wire : m.name) += "\":";
    encode_value(*m.shape, field, out, names, m.timestamp);
  }
  out += '}';
}

}  // namespace

json::value parse_json(std::string_view text, json::storage_ptr storage) {
  json::parse_options options;
  options.max_depth = 256;
  json::error_code error;
  json::value value = json::parse(text, error, std::move(storage), options);
  if (error) throw DecodeError(fmt::format("Could not parse request body into json: {}", error.message()));
  return value;
}

void decode_json(const Shape& shape, const json::value& v, void* out, std::vector<std::string>& ignored, JsonNames names) {
  Decoder(ignored, names).value(shape, v, out);
}

void encode_json(const Shape& shape, const void* value, std::string& out, JsonNames names) {
  encode_value(shape, value, out, names, TimestampFormat::kDefault);
}

void write_json_string(std::string_view text, std::string& out) {
  out += '"';
  if (is_plain_json(text)) {
    out.append(text) += '"';
    return;
  }
  std::size_t plain = 0;  // start of the run that needs no escape
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    }
  }
  out.append(text, plain);
  out += '"';
}

}  // namespace parvis::aws
