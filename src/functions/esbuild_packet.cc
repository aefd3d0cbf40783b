#include "functions/esbuild_packet.h"

#include <cstring>

#include <boost/json.hpp>

namespace parvis::functions {
namespace {

namespace json = boost::json;
enum class Tag : char { kNull = 0, kBool, kInteger, kString, kBytes, kArray, kObject };
constexpr int kDepthMax = 32;

void put32(std::string& out, std::size_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

void put(std::string& out, std::string_view text) {
  put32(out, text.size());
  out += text;
}

void put(std::string& out, const json::value& value) {
  const auto tag = [&out](Tag of) { out += static_cast<char>(of); };
  switch (value.kind()) {
    case json::kind::null: return tag(Tag::kNull);
    case json::kind::bool_: tag(Tag::kBool), out += value.get_bool() ? '\1' : '\0'; return;
    case json::kind::int64: tag(Tag::kInteger), put32(out, static_cast<std::uint32_t>(value.get_int64())); return;
    case json::kind::uint64: tag(Tag::kInteger), put32(out, static_cast<std::uint32_t>(value.get_uint64())); return;
    case json::kind::double_: tag(Tag::kInteger), put32(out, static_cast<std::uint32_t>(value.get_double())); return;
    case json::kind::string: tag(Tag::kString), put(out, std::string_view(value.get_string())); return;
    case json::kind::array:
      tag(Tag::kArray);
      put32(out, value.get_array().size());
      for (const auto& element : value.get_array()) put(out, element);
      return;
    case json::kind::object:
      tag(Tag::kObject);
      put32(out, value.get_object().size());
      for (const auto& [name, member] : value.get_object()) {
        put(out, std::string_view(name));
        put(out, member);
      }
      return;
  }
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return good_ && rest_.empty(); }
  std::uint32_t number() {
    if (rest_.size() < 4) return fail(), 0;
    std::uint32_t value = 0;
    for (int at = 3; at >= 0; --at) value = value << 8 | static_cast<unsigned char>(rest_[static_cast<std::size_t>(at)]);
    rest_.remove_prefix(4);
    return value;
  }
  std::string_view text() {
    const std::size_t size = number();
    if (size > rest_.size()) return fail(), std::string_view();
    const std::string_view found = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return found;
  }
  json::value value(int depth = 0) {
    if (rest_.empty() || depth > kDepthMax) return fail(), nullptr;
    const auto tag = static_cast<Tag>(rest_.front());
    rest_.remove_prefix(1);
    switch (tag) {
      case Tag::kNull: return nullptr;
      case Tag::kBool: {
        if (rest_.empty()) return fail(), nullptr;
        const bool set = rest_.front() != 0;
        rest_.remove_prefix(1);
        return set;
      }
      case Tag::kInteger: return static_cast<std::int64_t>(static_cast<std::int32_t>(number()));
      case Tag::kString:
      case Tag::kBytes: return json::string(text());
      case Tag::kArray: {
        json::array out;
        for (std::uint32_t left = number(); left > 0 && good_; --left) out.push_back(value(depth + 1));
        return out;
      }
      case Tag::kObject: {
        json::object out;
        for (std::uint32_t left = number(); left > 0 && good_; --left) {
          const std::string_view name = text();
          out[name] = value(depth + 1);
        }
        return out;
      }
    }
    return fail(), nullptr;
  }

 private:
  void fail() {
    good_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::string encode(const EsbuildPacket& packet) {
  std::string body;
  put32(body, packet.id << 1 | (packet.is_request ? 0u : 1u));
  put(body, packet.value);
  std::string out;
  put(out, std::string_view(body));
  return out;
}

std::optional<EsbuildPacket> decode(std::string_view bytes) {
  Reader reader(bytes);
  EsbuildPacket packet;
  const std::uint32_t id = reader.number();
  packet.id = id >> 1;
  packet.is_request = (id & 1) == 0;
  packet.value = reader.value();
  return reader.done() ? std::optional(std::move(packet)) : std::nullopt;
}

}  // namespace parvis::functions
