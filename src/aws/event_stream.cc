#include "aws/event_stream.h"

#include <stdexcept>

#include "aws/json_codec.h"
#include "aws/model.h"
#include "core/hash.h"

namespace parvis::aws {
namespace {

constexpr char kStringHeader = 7;

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

std::string checksum(std::string_view bytes) {
  std::string out;
  append_big_endian(out, crc32(bytes), 4);
  return out;
}

}  // namespace

std::string encode_message(const std::vector<std::pair<std::string_view, std::string_view>>& headers, std::string_view payload) {
  std::string head;
  for (const auto& [name, value] : headers) {
    append_big_endian(head, name.size(), 1);
    head += name;
    head += kStringHeader;
    append_big_endian(head, value.size(), 2);
    head += value;
  }
  std::string out;
  append_big_endian(out, 16 + head.size() + payload.size(), 4);
  append_big_endian(out, head.size(), 4);
  out += checksum(out);
  out += head;
  out += payload;
  return out + checksum(out);
}

std::string encode_event(const Shape& events, const void* event) {
  for (const Member& choice : events.members) {
    const void* value = choice.value_in(event);
    if (!value) continue;
    std::vector<std::pair<std::string_view, std::string_view>> headers{{":message-type", "event"}, {":event-type", choice.name}};
    std::string payload;
    std::string_view content_type = "application/json";
    const Member* whole = nullptr;
    for (const Member& m : choice.shape->members) if (m.location == Location::kPayload) whole = &m;
    const void* bytes = whole ? whole->value_in(value) : nullptr;
    if (whole && (whole->shape->kind == Kind::kBlob || whole->shape->kind == Kind::kString)) {
      content_type = whole->shape->kind == Kind::kBlob ? "application/octet-stream" : "text/plain";
      if (bytes) payload = *static_cast<const std::string*>(bytes);
    } else if (whole) {
      if (bytes) encode_json(*whole->shape, bytes, payload);
    } else {
      encode_json(*choice.shape, value, payload);
    }
    headers.emplace_back(":content-type", content_type);
    return encode_message(headers, payload);
  }
  throw std::logic_error("an event without a member");
}

}  // namespace parvis::aws
