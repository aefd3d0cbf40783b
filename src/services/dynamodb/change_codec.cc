#include "services/dynamodb/change_codec.h"

#include <spdlog/spdlog.h>

#include "services/dynamodb/errors.h"
#include "storage/tuple.h"

namespace parvis::dynamodb {
namespace {

constexpr unsigned char kExpiredFlag = 0x10;

void append_image(const std::optional<Item>& image, std::string& out) {
  const std::string bytes = image ? encode_item(*image) : std::string();
  storage::append_u64(out, bytes.size());
  out += bytes;
}

bool take_image(std::string_view& bytes, std::optional<Item>& image) {
  if (bytes.size() < 8) return false;
  const std::uint64_t size = storage::load_u64(bytes);
  bytes.remove_prefix(8);
  if (size > bytes.size()) return false;
  if (size == 0) return true;
  auto item = decode_item(bytes.substr(0, size));
  if (!item) return false;
  image = std::move(*item);
  bytes.remove_prefix(size);
  return true;
}

bool decode(std::string_view bytes, Change& change) {
  if (bytes.size() < 10 || bytes[0] != '\x01') return false;
  const auto flags = static_cast<unsigned char>(bytes[1]);
  if ((flags & 0x0F) > static_cast<unsigned>(ChangeKind::kRemove)) return false;
  change.kind = static_cast<ChangeKind>(flags & 0x0F);
  change.expired = flags & kExpiredFlag;
  change.created_ms = static_cast<std::int64_t>(storage::load_u64(bytes.substr(2)));
  bytes.remove_prefix(10);
  return take_image(bytes, change.keys) && take_image(bytes, change.old_image) && take_image(bytes, change.new_image) &&
         bytes.empty() && change.keys;
}

}  // namespace

std::string encode_change(const Change& change) {
  std::string out(1, '\x01');
  out.push_back(static_cast<char>(static_cast<unsigned>(change.kind) | (change.expired ? kExpiredFlag : 0u)));
  storage::append_u64(out, static_cast<std::uint64_t>(change.created_ms));
  append_image(change.keys, out);
  append_image(change.old_image, out);
  append_image(change.new_image, out);
  return out;
}

Change decode_change(std::string_view bytes) {
  Change change;
  if (decode(bytes, change)) return change;
  spdlog::error("dynamodb: a damaged stream record");
  throw aws::ApiError(kInternal, "Internal server error");
}

}  // namespace parvis::dynamodb
