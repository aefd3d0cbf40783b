#include "storage/blob_store.h"

#include <fmt/format.h>

#include "storage/tuple.h"

namespace parvis::storage {
namespace {

constexpr std::size_t kFlushBytes = 4 * kBlobChunkBytes;  // of one commit
constexpr int kTries = 5;                                 // of a commit whose outcome stays unknown
constexpr char kMetaFormat = 1;
constexpr std::size_t kMetaBytes = 1 + 8 + 8 + 32;

std::string encode_time(Millis time) {
  std::string out;
  append_u64(out, static_cast<std::uint64_t>(time.time_since_epoch().count()));
  return out;
}

Millis decode_time(std::string_view bytes) { return Millis(std::chrono::milliseconds(load_u64(bytes))); }

std::string encode_meta(const BlobInfo& info) {
  std::string out(1, kMetaFormat);
  append_u64(out, info.size_bytes);
  return out + encode_time(info.created) + info.sha256;
}

BlobInfo decode_meta(std::string id, std::string_view bytes) {
  if (bytes.size() != kMetaBytes || bytes[0] != kMetaFormat) {
    throw StoreFault(StoreErrc::kCorruption, "the record of blob " + id + " cannot be read");
  }
  return {std::move(id), load_u64(bytes.substr(1)), decode_time(bytes.substr(9)), std::string(bytes.substr(17))};
}

bool unknown(const std::expected<Stamp, StoreError>& result) {
  return !result && result.error().code == StoreErrc::kUnknownOutcome;
}

}  // namespace

awaitable<std::expected<void, StoreError>> BlobWriter::write(std::string bytes) {
  if (bytes.size() > kBlobBytesMax - info_.size_bytes) {
    co_return std::unexpected(StoreError{StoreErrc::kTooLarge, fmt::format("a blob has at most {} bytes", kBlobBytesMax), {}});
  }
  digest_.update(bytes);
  info_.size_bytes += bytes.size();
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t count = std::min(kFlushBytes - buffer_.size(), bytes.size() - at);
    buffer_.append(bytes, at, count);
    at += count;
    if (buffer_.size() == kFlushBytes) {
      if (auto flushed = co_await flush(); !flushed) co_return flushed;
    }
  }
  co_return std::expected<void, StoreError>{};
}

void BlobWriter::take_chunks(Commit& commit, std::uint64_t first) {
  for (std::size_t at = 0; at < buffer_.size(); at += kBlobChunkBytes) {
    commit.put(store_.chunk_key(info_.id, first++), buffer_.substr(at, kBlobChunkBytes));
  }
}

awaitable<std::expected<void, StoreError>> BlobWriter::flush() {
  const std::string marker_key = store_.orphan_key(info_.id);
  Commit commit;
  // The marker must stay as it is: chunks of a collected blob would never be found again.
  commit.check(marker_key, marker_);
  if (!marker_) commit.put(marker_key, encode_time(store_.clock_.wall()));
  take_chunks(commit, chunks_);
  for (int tries = 1;; ++tries) {
    auto result = co_await store_.store_.commit(commit);
    if (unknown(result) && tries < kTries) {
      if (marker_) continue;  // chunks may be written twice
      // The id is ours alone, so a marker can only be the one of this commit.
      const auto marker = co_await store_.store_.snapshot()->get(marker_key);
      if (!marker) continue;
      result = marker->version;
    }
    if (!result) co_return std::unexpected(std::move(result.error()));
    if (!marker_) marker_ = *result;
    chunks_ += (buffer_.size() + kBlobChunkBytes - 1) / kBlobChunkBytes;
    buffer_.clear();
    co_return std::expected<void, StoreError>{};
  }
}

awaitable<std::expected<BlobInfo, StoreError>> BlobWriter::publish(Commit with) {
  info_.created = store_.clock_.wall();
  if (info_.sha256.empty()) info_.sha256 = digest_.finish();
  const std::string meta_key = store_.meta_key(info_.id), marker_key = store_.orphan_key(info_.id);
  with.check(meta_key, std::nullopt);
  with.check(marker_key, marker_);
  if (marker_) with.erase(marker_key);
  take_chunks(with, chunks_);
  with.put(meta_key, encode_meta(info_));
  for (int tries = 1;; ++tries) {
    auto result = co_await store_.store_.commit(with);
    if (result) co_return info_;
    if (unknown(result) && tries < kTries) continue;
    // A conflict after an unknown outcome may come from our own success.
    if (tries > 1 && co_await store_.store_.snapshot()->get(meta_key)) co_return info_;
    co_return std::unexpected(std::move(result.error()));
  }
}

awaitable<std::optional<std::string>> BlobReader::next() {
  if (at_ >= info_.size_bytes) co_return std::nullopt;
  const std::uint64_t index = at_ / kBlobChunkBytes;
  const std::string key = store_.chunk_key(info_.id, index);
  auto chunk = co_await store_.store_.snapshot()->get(key);
  if (!chunk) {
    const bool removed = !co_await store_.find(info_.id);
    throw StoreFault(removed ? StoreErrc::kConflict : StoreErrc::kCorruption,
                     fmt::format("chunk {} of blob {} is {}", index, info_.id, removed ? "gone: it was removed" : "missing"));
  }
  const std::uint64_t begin = index * kBlobChunkBytes;
  if (chunk->bytes.size() != std::min<std::uint64_t>(kBlobChunkBytes, info_.size_bytes - begin)) {
    throw StoreFault(StoreErrc::kCorruption, fmt::format("chunk {} of blob {} has a wrong length", index, info_.id));
  }
  std::string bytes = at_ == begin ? std::move(chunk->bytes) : chunk->bytes.substr(at_ - begin);
  at_ += bytes.size();
  co_return bytes;
}

BlobWriter BlobStore::create() { return BlobWriter(*this, entropy_.uuid()); }

awaitable<std::expected<BlobInfo, StoreError>> BlobStore::put(std::string bytes, Commit with) {
  BlobWriter writer = create();
  if (auto written = co_await writer.write(std::move(bytes)); !written) co_return std::unexpected(std::move(written.error()));
  co_return co_await writer.publish(std::move(with));
}

awaitable<std::optional<BlobInfo>> BlobStore::find(std::string id) {
  const std::string key = meta_key(id);
  const auto meta = co_await store_.snapshot()->get(key);
  if (!meta) co_return std::nullopt;
  co_return decode_meta(std::move(id), meta->bytes);
}

awaitable<std::optional<BlobReader>> BlobStore::open(std::string id, std::uint64_t offset) {
  auto info = co_await find(std::move(id));
  if (!info) co_return std::nullopt;
  co_return BlobReader(*this, std::move(*info), offset);
}

BlobReader BlobStore::reader(std::string id, std::uint64_t size_bytes, std::uint64_t offset) {
  BlobInfo info;
  info.id = std::move(id);
  info.size_bytes = size_bytes;
  return BlobReader(*this, std::move(info), offset);
}

awaitable<std::optional<std::string>> BlobStore::read(std::string id, std::uint64_t bytes_max) {
  auto reader = co_await open(std::move(id));
  if (!reader) co_return std::nullopt;
  if (reader->info().size_bytes > bytes_max) {
    throw StoreFault(StoreErrc::kTooLarge, fmt::format("blob {} has {} bytes, over {}", reader->info().id, reader->info().size_bytes, bytes_max));
  }
  std::string bytes;
  bytes.reserve(reader->info().size_bytes);
  while (auto chunk = co_await reader->next()) bytes += *chunk;
  co_return bytes;
}

awaitable<std::expected<bool, StoreError>> BlobStore::remove(std::string id, Commit with) {
  const std::string key = meta_key(id);
  for (int tries = 1;; ++tries) {
    const auto meta = co_await store_.snapshot()->get(key);
    if (!meta) co_return tries > 1;
    Commit commit = with;
    commit.check(key, meta->version);
    remove_in(commit, id);
    auto result = co_await store_.commit(std::move(commit));
    if (result) co_return true;
    if (!unknown(result) || tries == kTries) co_return std::unexpected(std::move(result.error()));
  }
}

void BlobStore::remove_in(Commit& commit, std::string_view id) {
  commit.erase(meta_key(id)).put(orphan_key(id), encode_time(clock_.wall()));
}

awaitable<std::expected<std::size_t, StoreError>> BlobStore::collect_orphans(Millis before, std::function<bool(const std::string& id)> in_use) {
  const std::string prefix = TupleWriter(prefix_).string("blob_orphan").take();
  std::size_t collected = 0;
  for (ScanOptions options{.begin = prefix, .end = prefix_end(prefix), .limit = 100};;) {
    const ScanPage page = co_await store_.snapshot()->scan(options);
    for (const Entry& entry : page.entries) {
      auto id = TupleReader(std::string_view(entry.key).substr(prefix.size())).string();
      if (!id || entry.value.size() != 8) throw StoreFault(StoreErrc::kCorruption, "an orphan marker of blobs cannot be read");
      if (decode_time(entry.value) >= before || (in_use && in_use(*id))) continue;
      if (auto done = co_await collect(std::move(*id), entry.key, entry.version); !done) {
        if (done.error().code != StoreErrc::kConflict) co_return std::unexpected(std::move(done.error()));
        continue;  // it was published just now
      }
      ++collected;
    }
    if (!page.more) co_return collected;
    options.begin = page.entries.back().key + '\0';
  }
}

awaitable<std::expected<void, StoreError>> BlobStore::collect(std::string id, std::string marker_key, Version marker) {
  // First a marker of another version: from here on the writer can neither add a chunk nor publish.
  auto claimed = co_await store_.commit(Commit().check(marker_key, marker).put(marker_key, std::string(8, '\0')));
  if (!claimed) co_return std::unexpected(std::move(claimed.error()));
  const std::string prefix = TupleWriter(prefix_).string("blob_chunk").string(id).take();
  for (bool more = true; more;) {
    const ScanPage page = co_await store_.snapshot()->scan({.begin = prefix, .end = prefix_end(prefix), .limit = 64, .bytes_max = 8u << 20});
    more = page.more;
    Commit commit;
    for (const Entry& entry : page.entries) commit.erase(entry.key);
    if (!more) commit.erase(marker_key);
    if (auto result = co_await store_.commit(std::move(commit)); !result) co_return std::unexpected(std::move(result.error()));
  }
  co_return std::expected<void, StoreError>{};
}

std::string BlobStore::meta_key(std::string_view id) const { return TupleWriter(prefix_).string("blob_meta").string(id).take(); }
std::string BlobStore::chunk_key(std::string_view id, std::uint64_t index) const {
  return TupleWriter(prefix_).string("blob_chunk").string(id).u64(index).take();
}
std::string BlobStore::orphan_key(std::string_view id) const { return TupleWriter(prefix_).string("blob_orphan").string(id).take(); }

}  // namespace parvis::storage
