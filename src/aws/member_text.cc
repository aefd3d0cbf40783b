#include "aws/member_text.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "core/hash.h"
#include "core/time_format.h"

namespace parvis::aws {
namespace {

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  if (text == "NaN") return NAN;
  if (text == "Infinity") return INFINITY;
  if (text == "-Infinity") return -INFINITY;
  std::optional<double> value = parse_whole<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;  // from_chars would also take "inf"
}

}  // namespace

std::string number_to_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == std::floor(value) && std::fabs(value) < 1e15) return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

std::string timestamp_to_text(Timestamp time, TimestampFormat format) {
  const Millis at = from_epoch_seconds(time.epoch_seconds);
  if (format == TimestampFormat::kRfc822) return format_rfc1123(at);
  if (format == TimestampFormat::kIso8601) {
    return at.time_since_epoch().count() % 1000 ? format_iso8601(at) : format_iso8601_seconds(at);
  }
  std::string text = fmt::format("{:.3f}", static_cast<double>(at.time_since_epoch().count()) / 1000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

std::optional<Timestamp> timestamp_from_text(std::string_view text) {
  if (auto seconds = parse_double(text); seconds && std::fabs(*seconds) < 2.6e11) return Timestamp{*seconds};
  if (auto time = parse_iso8601(text)) return Timestamp{to_epoch_seconds(*time)};
  if (auto time = parse_rfc1123(text)) return Timestamp{to_epoch_seconds(*time)};
  return std::nullopt;
}

std::string scalar_to_text(const Shape& shape, const void* value, TimestampFormat format, TimestampFormat fallback) {
  switch (shape.kind) {
    case Kind::kString: return *static_cast<const std::string*>(value);
    case Kind::kBlob: return base64_encode(*static_cast<const std::string*>(value));
    case Kind::kInteger: return std::to_string(*static_cast<const int*>(value));
    case Kind::kLong: return std::to_string(*static_cast<const std::int64_t*>(value));
    case Kind::kDouble: return number_to_text(*static_cast<const double*>(value));
    case Kind::kBoolean: return *static_cast<const bool*>(value) ? "true" : "false";
    case Kind::kTimestamp:
      return timestamp_to_text(*static_cast<const Timestamp*>(value),
                               format == TimestampFormat::kDefault ? fallback : format);
    case Kind::kList: case Kind::kMap: case Kind::kStructure: case Kind::kDocument: case Kind::kStream: case Kind::kEventStream:
    case Kind::kOverride: break;
  }
  throw std::logic_error(fmt::format("shape {} is not a scalar", shape.name));
}

std::optional<std::string> scalar_from_text(const Shape& shape, std::string_view text, void* out) {
  const auto bad = [&](std::string_view type) { return fmt::format("'{}' cannot be converted to {}", text.substr(0, 100), type); };
  switch (shape.kind) {
    case Kind::kString: *static_cast<std::string*>(out) = text; return std::nullopt;
    case Kind::kBlob:
      if (auto bytes = base64_decode(text)) { *static_cast<std::string*>(out) = std::move(*bytes); return std::nullopt; }
      return "Invalid base64 text";
    case Kind::kInteger:
      if (auto v = parse_whole<int>(text)) { *static_cast<int*>(out) = *v; return std::nullopt; }
      return bad("Integer");
    case Kind::kLong:
      if (auto v = parse_whole<std::int64_t>(text)) { *static_cast<std::int64_t*>(out) = *v; return std::nullopt; }
      return bad("Long");
    case Kind::kDouble:
      if (auto v = parse_double(text)) { *static_cast<double*>(out) = *v; return std::nullopt; }
      return bad("Double");
    case Kind::kBoolean:
      if (text == "true" || text == "True") { *static_cast<bool*>(out) = true; return std::nullopt; }
      if (text == "false" || text == "False") { *static_cast<bool*>(out) = false; return std::nullopt; }
      return bad("Boolean");
    case Kind::kTimestamp:
      if (auto v = timestamp_from_text(text)) { *static_cast<Timestamp*>(out) = *v; return std::nullopt; }
      return bad("Timestamp");
    case Kind::kList: case Kind::kMap: case Kind::kStructure: case Kind::kDocument: case Kind::kStream: case Kind::kEventStream:
    case Kind::kOverride: break;
  }
  return bad("a structure");
}

std::size_t utf16_length(std::string_view utf8) {
  std::size_t units = 0;
  for (unsigned char c : utf8) units += (c & 0xC0) != 0x80 ? (c >= 0xF0 ? 2 : 1) : 0;
  return units;
}

}  // namespace parvis::aws
