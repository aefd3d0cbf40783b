// aws/model.h: what the generated models are made of: the C++ types of members, and the descriptor tables that one
// interpreter per protocol walks. Descriptors are constants with static storage; everything here is thread-safe to read.
//
// Every member of a generated struct is a std::optional: absent and null are the same (AWS's JSON protocols treat them so).
// Source: the service models of botocore (shapes, constraints, HTTP bindings).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "aws/api_call.h"
#include "aws/event_stream.h"
#include "http/message.h"

namespace parvis::aws {

struct Timestamp {
  double epoch_seconds = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// A value of a shape that contains itself. Copies are deep. Never empty except when moved from.
template <class T>
class Boxed {
 public:
  Boxed() : value_(std::make_unique<T>()) {}
  Boxed(T value) : value_(std::make_unique<T>(std::move(value))) {}  // NOLINT: implicit as for optional
  Boxed(const Boxed& other) : value_(std::make_unique<T>(*other.value_)) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(Boxed other) noexcept { value_ = std::move(other.value_); return *this; }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return value_.get(); }
  const T* operator->() const { return value_.get(); }

 private:
  std::unique_ptr<T> value_;
};

// A streaming blob: a source read piece by piece, or (answers, and requests that came whole) its bytes.
struct Body {
  std::string bytes;
  std::shared_ptr<http::ByteSource> source;
  std::optional<std::uint64_t> size_bytes;  // of `source`, when known: becomes Content-Length
  Body() = default;
  Body(std::string whole) : bytes(std::move(whole)) {}                            // NOLINT
  Body(std::shared_ptr<http::ByteSource> stream) : source(std::move(stream)) {}  // NOLINT
};

// The codec of a shape that a service replaced by its own type (`overrides` in operations.json). A specialization has
//   static std::expected<T, std::string> from_json(const boost::json::value&);  // error: text of a SerializationException
//   static void to_json(const T&, std::string& out);                            // appends
template <class T>
struct Codec;

enum class Kind : std::uint8_t {
  kString, kBlob, kInteger, kLong, kDouble, kBoolean, kTimestamp, kList, kMap, kStructure, kDocument, kStream, kEventStream,
  kOverride,
};
enum class Location : std::uint8_t { kBody, kUri, kQuery, kHeader, kHeaders, kStatusCode, kPayload };
enum class TimestampFormat : std::uint8_t { kDefault, kUnix, kIso8601, kRfc822 };

// A pattern of the model. `match` must match the whole value, `unless` (may be empty) must not: that is how lookaheads,
// which RE2 does not have, are written down by hand (tools/modelgen/patterns.json).
class Pattern {
 public:
  constexpr Pattern(std::string_view text, std::string_view match, std::string_view unless)
      : text(text), match(match), unless(unless) {}
  Pattern(const Pattern&) = delete;
  bool accepts(std::string_view value) const;  // compiles once, on first use
  bool compiles() const;                       // for tests: RE2 takes it

  std::string_view text;  // as the model has it, for messages
  std::string_view match, unless;

 private:
  struct Compiled;
  const Compiled& compiled() const;
  mutable std::atomic<const Compiled*> compiled_{nullptr};  // lives as long as the process, as the pattern does
};

struct Shape;

struct Member {
  std::string_view name;  // as modelled: "TableName"
  std::string_view wire;  // locationName, else name
  const Shape* shape = nullptr;
  bool required = false;
  Location location = Location::kBody;
  bool flattened = false;
  bool xml_attribute = false;
  TimestampFormat timestamp = TimestampFormat::kDefault;
  std::string_view xml_namespace_prefix = {}, xml_namespace = {};
  std::size_t offset = 0;                        // of the std::optional in its struct
  const void* (*get)(const void* optional) = nullptr;  // the value; nullptr when absent
  void* (*emplace)(void* optional) = nullptr;          // makes a default value and returns it

  const void* value_in(const void* owner) const { return get(static_cast<const char*>(owner) + offset); }
  void* emplace_in(void* owner) const { return emplace(static_cast<char*>(owner) + offset); }
};

struct ListOps {
  std::size_t (*size)(const void*);
  const void* (*at)(const void*, std::size_t);
  void* (*add)(void*);
};
struct MapOps {
  std::size_t (*size)(const void*);
  void* (*add)(void*, std::string key);
  void (*each)(const void*, void* context, void (*visit)(void* context, const std::string& key, const void* value));
};
struct OverrideOps {
  std::optional<std::string> (*from_json)(const boost::json::value&, void* out);  // the error, if any
  void (*to_json)(const void*, std::string& out);
};

struct Shape {
  std::string_view name;
  Kind kind;
  // Constraints; absent: not limited. Lengths of strings in UTF-16 units as Java counts, of blobs in bytes.
  std::optional<std::int64_t> min = {}, max = {};
  std::optional<double> min_value = {}, max_value = {};
  const Pattern* pattern = nullptr;
  std::span<const std::string_view> enum_values = {};
  // Structures.
  std::span<const Member> members = {};
  bool is_union = false;
  std::string_view xml_name = {};       // locationName of the structure itself (rest-xml payloads)
  std::string_view xml_namespace = {};
  // Lists and maps.
  const Shape* element = nullptr;       // list member, map value, the union of an event stream
  const Shape* key = nullptr;
  std::string_view element_wire = "member", key_wire = "key", value_wire = "value";
  bool flattened = false;
  TimestampFormat timestamp = TimestampFormat::kDefault;
  bool sensitive = false;
  const ListOps* list = nullptr;
  const MapOps* map = nullptr;
  const OverrideOps* override_ops = nullptr;
};

enum class Protocol : std::uint8_t { kJson, kRestJson, kQuery, kRestXml };

struct OperationName {  // every operation of the model, also those without a handler
  std::string_view name, method, uri;
};

struct ErrorShape {
  std::string_view code;
  std::string_view message_member;  // "message" or "Message"; empty: the shape has none
};

struct ServiceModel {
  std::string_view service;        // key of the Registry: the endpoint prefix, or the model's name where two share one
  std::string_view model;          // folder in botocore: "apigatewayv2"
  std::string_view endpoint_prefix;
  std::string_view signing_name;   // service in the credential scope
  std::string_view service_id;     // "API Gateway"
  std::string_view api_version;
  Protocol protocol;
  std::string_view json_version;   // "1.0"
  std::string_view target_prefix;  // "DynamoDB_20120810"
  std::string_view xml_namespace;
  std::span<const OperationName> operations;
  std::span<const ErrorShape> errors;
};

// What happens to a member of an input. Source: the service's manifest.json.
enum class Disposition : std::uint8_t { kApplied, kNeutral, kWarned, kRefused };
struct ValueRule {  // what is different for one value of the member
  std::string_view value;
  Disposition disposition;
  std::string_view note;
};
struct MemberRule {
  std::string_view path;  // "Code.S3Bucket", "Tags[].Key", "Map{}.Member"
  Disposition disposition = Disposition::kApplied;
  std::string_view note = {};  // why it is warned about or refused
  std::span<const ValueRule> values = {};
};

struct OperationModel {
  const ServiceModel* service_model;
  std::string_view service;  // service_model->service
  std::string_view name;
  std::string_view method, uri;
  unsigned response_code = 200;
  const Shape* input = nullptr;   // never null: an empty structure when the model has none
  const Shape* output = nullptr;
  bool has_output = true;         // false: the model has none (query: no Result element)
  std::string_view result_wrapper = {};
  std::shared_ptr<void> (*make_input)() = nullptr;
  std::shared_ptr<void> (*make_output)() = nullptr;
  std::span<const ErrorSpec> errors = {};
  std::span<const MemberRule> rules = {};  // of the members that are not simply applied
};

// ---- what generated descriptors are built from
namespace detail {
template <class T> struct Access {
  static const void* ptr(const T& v) { return &v; }
  static void* ptr(T& v) { return &v; }
};
template <class T> struct Access<Boxed<T>> {
  static const void* ptr(const Boxed<T>& v) { return &*v; }
  static void* ptr(Boxed<T>& v) { return &*v; }
};
template <class Opt> const void* get(const void* optional) {
  auto& o = *static_cast<const Opt*>(optional);
  return o ? Access<typename Opt::value_type>::ptr(*o) : nullptr;
}
template <class Opt> void* emplace(void* optional) {
  return Access<typename Opt::value_type>::ptr(static_cast<Opt*>(optional)->emplace());
}
template <class T> inline constexpr ListOps list_ops{
    [](const void* l) { return static_cast<const std::vector<T>*>(l)->size(); },
    [](const void* l, std::size_t i) -> const void* { return &(*static_cast<const std::vector<T>*>(l))[i]; },
    [](void* l) -> void* { return &static_cast<std::vector<T>*>(l)->emplace_back(); }};
template <class T> inline constexpr MapOps map_ops{
    [](const void* m) { return static_cast<const std::map<std::string, T>*>(m)->size(); },
    [](void* m, std::string key) -> void* { return &(*static_cast<std::map<std::string, T>*>(m))[std::move(key)]; },
    [](const void* m, void* context, void (*visit)(void*, const std::string&, const void*)) {
      for (auto& [key, value] : *static_cast<const std::map<std::string, T>*>(m)) visit(context, key, &value);
    }};
template <class T> inline constexpr OverrideOps override_ops{
    [](const boost::json::value& v, void* out) -> std::optional<std::string> {
      std::expected<T, std::string> parsed = Codec<T>::from_json(v);
      if (!parsed) return std::move(parsed.error());
      *static_cast<T*>(out) = std::move(*parsed);
      return std::nullopt;
    },
    [](const void* v, std::string& out) { Codec<T>::to_json(*static_cast<const T*>(v), out); }};
template <class T> std::shared_ptr<void> make() { return std::make_shared<T>(); }
}  // namespace detail

}  // namespace parvis::aws

// In generated sources: the part of a Member that depends on its C++ type.
#define PARVIS_MODEL_FIELD(Struct, field)                                             \
  .offset = offsetof(Struct, field), .get = &detail::get<decltype(Struct::field)>, \
  .emplace = &detail::emplace<decltype(Struct::field)>
