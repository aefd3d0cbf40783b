#include "storage/backup.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/time_format.h"
#include "storage/backup_file.h"
#include "storage/tuple.h"

namespace parvis::storage {
namespace {

constexpr std::size_t kPieceBytes = 1u << 20;
constexpr std::size_t kDigestBytes = 32;
// A value cannot be larger than the commit that wrote it.
constexpr std::size_t kValueBytesMax = kCommitBytesMax;

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::uint32_t load_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return value;
}

}  // namespace

awaitable<BackupInfo> write_backup(std::shared_ptr<Snapshot> snapshot, Millis now, std::string by, std::function<awaitable<>(std::string)> write) {
  BackupInfo info{.stamp = snapshot->stamp(), .created = format_iso8601(now), .by = std::move(by)};
  Digest digest(Digest::Kind::kSha256);
  std::string piece(kBackupFormat);
  piece += boost::json::serialize(boost::json::object{{"stamp", info.stamp}, {"created", info.created}, {"by", info.by}}) + "\n";
  ScanOptions range{.bytes_max = kPieceBytes};
  for (bool more = true; more;) {
    ScanPage page = co_await snapshot->scan(range);
    for (const Entry& entry : page.entries) {
      piece += 'E';
      append_u32(piece, static_cast<std::uint32_t>(entry.key.size()));
      append_u32(piece, static_cast<std::uint32_t>(entry.value.size()));
      append_u64(piece, entry.version);
      piece += entry.key;
      piece += entry.value;
      ++info.records;
    }
    more = page.more;
    if (!page.entries.empty()) range.begin = page.entries.back().key + '\0';
    if (piece.size() < kPieceBytes && more) continue;
    digest.update(piece);
    info.bytes += piece.size();
    co_await write(std::exchange(piece, {}));
  }
  piece = "T";
  append_u64(piece, info.records);
  digest.update(piece);
  piece += digest.finish();
  info.bytes += piece.size();
  co_await write(std::move(piece));
  co_return info;
}

std::unexpected<std::string> BackupReader::damaged(std::string_view what) const {
  return std::unexpected(fmt::format("{}: the backup is damaged or cut off ({}); nothing of it was used", name_, what));
}

std::expected<std::string, std::string> BackupReader::take(std::size_t count, bool digested) {
  std::string bytes(count, '\0');
  in_.read(bytes.data(), static_cast<std::streamsize>(count));
  if (static_cast<std::size_t>(in_.gcount()) != count) return damaged(fmt::format("it ends at byte {}", info_.bytes + static_cast<std::size_t>(in_.gcount())));
  info_.bytes += count;
  if (digested) digest_.update(bytes);
  return bytes;
}

std::expected<BackupReader, std::string> BackupReader::open(const std::filesystem::path& file) {
  BackupReader reader(file);
  if (!reader.in_.is_open()) return std::unexpected(fmt::format("{}: cannot be read", file.string()));
  const auto format = reader.take(kBackupFormat.size());
  if (!format || !format->starts_with("parvis-backup ")) return std::unexpected(fmt::format("{}: is not a backup of Parvis", file.string()));
  if (*format != kBackupFormat) return std::unexpected(fmt::format("{}: is a backup of a newer format; use the version of Parvis that made it, or a later one", file.string()));
  std::string header;
  for (char letter; header.size() < kBackupHeaderBytesMax && reader.in_.get(letter) && letter != '\n';) header += letter;
  reader.info_.bytes += header.size() + 1;
  reader.digest_.update(header + "\n");
  boost::system::error_code wrong;
  const boost::json::value parsed = boost::json::parse(header, wrong);
  const auto* members = wrong ? nullptr : parsed.if_object();
  const auto* stamp = members ? members->if_contains("stamp") : nullptr;
  if (!stamp || !(stamp->is_int64() || stamp->is_uint64())) return reader.damaged("its second line");
  reader.info_.stamp = stamp->to_number<Stamp>();
  for (auto [name, target] : {std::pair{"created", &reader.info_.created}, std::pair{"by", &reader.info_.by}})
    if (const auto* text = members->if_contains(name); text && text->is_string()) *target = text->get_string();
  return reader;
}

std::expected<std::optional<Entry>, std::string> BackupReader::trailer() {
  const auto count = take(8);
  if (!count) return std::unexpected(count.error());
  const std::string computed = digest_.finish();
  const auto stored = take(kDigestBytes, false);
  if (!stored) return std::unexpected(stored.error());
  if (*stored != computed) return damaged("its checksum is another");
  if (load_u64(*count) != info_.records) return damaged("its number of records is another");
  if (in_.get() != std::ifstream::traits_type::eof()) return damaged("something follows its end");
  return std::optional<Entry>();
}

std::expected<std::optional<Entry>, std::string> BackupReader::next() {
  const auto kind = take(1);
  if (!kind) return std::unexpected(kind.error());
  if (*kind == "T") return trailer();
  if (*kind != "E") return damaged(fmt::format("no record begins at byte {}", info_.bytes - 1));
  const auto head = take(16);
  if (!head) return std::unexpected(head.error());
  const std::size_t key_bytes = load_u32(*head), value_bytes = load_u32(std::string_view(*head).substr(4));
  Entry entry;
  entry.version = load_u64(std::string_view(*head).substr(8));
  if (key_bytes == 0 || key_bytes > kKeyBytesMax || value_bytes > kValueBytesMax) return damaged(fmt::format("a record's lengths at byte {}", info_.bytes));
  auto key = take(key_bytes);
  auto value = key ? take(value_bytes) : std::unexpected(key.error());
  if (!value) return std::unexpected(value.error());
  entry.key = std::move(*key);
  entry.value = std::move(*value);
  if (entry.key <= last_key_ || entry.version > info_.stamp) return damaged(fmt::format("the order of records at byte {}", info_.bytes));
  last_key_ = entry.key;
  ++info_.records;
  return std::optional<Entry>(std::move(entry));
}

std::expected<BackupInfo, std::string> check_backup(const std::filesystem::path& file) {
  auto reader = BackupReader::open(file);
  if (!reader) return std::unexpected(reader.error());
  for (;;) {
    const auto record = reader->next();
    if (!record) return std::unexpected(record.error());
    if (!*record) return reader->info();
  }
}

}  // namespace parvis::storage
