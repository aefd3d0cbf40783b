// ListObjectVersions: the objects that GetObject gives and their other versions, merged in the order of keys.
#include <fmt/format.h>

#include "services/s3/body.h"
#include "services/s3/errors.h"
#include "services/s3/listing.h"
#include "services/s3/operations.h"

namespace parvis::s3 {
namespace {

// Walks one range of the store; one caller at a time.
class Walk {
 public:
  Walk(std::shared_ptr<storage::Snapshot> snapshot, std::string base, std::string begin, std::string end)
      : snapshot_(std::move(snapshot)), base_(std::move(base)), range_{.begin = std::move(begin), .end = std::move(end), .limit = 256} {}
  // Loads what stands next. False: the end.
  awaitable<bool> ready() {
    while (at_ == page_.entries.size()) {
      if (!page_.more || range_.begin >= range_.end) co_return false;
      page_ = co_await snapshot_->scan(range_);
      at_ = 0;
      if (!page_.entries.empty()) range_.begin = page_.entries.back().key + '\0';
    }
    co_return true;
  }
  const storage::Entry& entry() const { return page_.entries[at_]; }
  std::string key() const { return storage::TupleReader(std::string_view(entry().key).substr(base_.size())).string().value_or(""); }
  void next() { ++at_; }
  void skip_to(const std::string& begin) {
    while (at_ < page_.entries.size() && page_.entries[at_].key < begin) ++at_;
    if (range_.begin < begin) range_.begin = begin;
  }

 private:
  std::shared_ptr<storage::Snapshot> snapshot_;
  std::string base_;
  storage::ScanOptions range_;
  storage::ScanPage page_{.entries = {}, .more = true};
  std::size_t at_ = 0;
};

void add(model::ListObjectVersionsOutput& out, const std::string& key, const ObjectRecord& record, bool latest, const std::string& owner) {
  const auto describe = [&](auto& entry) {
    entry.key = key;
    entry.version_id = shown_version(record);
    entry.is_latest = latest;
    entry.last_modified = aws::Timestamp{static_cast<double>(record.modified_ms) / 1000.0};
    entry.owner.emplace().id = owner;
  };
  if (record.delete_marker) {
    describe(out.delete_markers->emplace_back());
    return;
  }
  model::ObjectVersion& version = out.versions->emplace_back();
  describe(version);
  version.e_tag = quoted_etag(record);
  version.size = static_cast<std::int64_t>(record.size_bytes);
  version.storage_class = "STANDARD";
  if (record.checksum.algorithm.empty()) return;
  version.checksum_algorithm = {record.checksum.algorithm};
  version.checksum_type = checksum_type(record.checksum);
}

// The order of the version that a page ended with; nullopt: it is gone, so the page goes on with the next key.
awaitable<std::optional<std::uint64_t>> marker_order(std::shared_ptr<storage::Snapshot> snapshot, aws::Scope scope, std::string bucket_id,
                                                     std::string key, std::string version) {
  if (version != "null") {
    const auto order = order_of_version_id(version);
    if (!order) throw aws::ApiError(kInvalidArgument, "Invalid version id specified", {{"ArgumentName", "version-id-marker"}, {"ArgumentValue", version}});
    co_return order;
  }
  const std::string object = object_key(scope, bucket_id, key), null = null_key(scope, bucket_id, key);
  if (const auto current = co_await snapshot->get(object)) {
    const ObjectRecord record = parse_object(current->bytes);
    if (record.version_id.empty()) co_return record.order;
  }
  if (const auto order = co_await snapshot->get(null)) co_return storage::load_u64(order->bytes);
  co_return std::nullopt;
}

}  // namespace

awaitable<model::ListObjectVersionsOutput> Service::list_versions(aws::CallContext call, model::ListObjectVersionsInput in) {
  refuse_if(in.optional_object_attributes && !in.optional_object_attributes->empty(), "x-amz-optional-object-attributes");
  const std::size_t limit = page_limit(in.max_keys, "max-keys");
  const std::string prefix = in.prefix.value_or(""), delimiter = in.delimiter.value_or("");
  const std::string key_marker = in.key_marker.value_or(""), version_marker = in.version_id_marker.value_or("");
  const ListedText text(in.encoding_type);
  if (key_marker.empty() && !version_marker.empty())
    throw aws::ApiError(kInvalidArgument, "A version-id marker cannot be specified without a key marker.", {{"ArgumentName", "version-id-marker"}, {"ArgumentValue", version_marker}});
  const Bucket bucket = co_await find_bucket(call.scope, *in.bucket, in.expected_bucket_owner);
  const aws::Scope& scope = call.scope;
  const std::string& id = bucket.record.id;
  const auto snapshot = store_.snapshot();
  const std::string object_range = object_start(scope, id, prefix), version_range = version_start(scope, id, prefix);
  Walk objects(snapshot, object_prefix(scope, id), object_range, storage::prefix_end(object_range));
  Walk versions(snapshot, version_prefix(scope, id), version_range, storage::prefix_end(version_range));
  std::string last_key;
  if (!key_marker.empty()) {
    const bool common = place_after(key_marker, prefix, delimiter).front() == 'p';
    objects.skip_to(common ? storage::prefix_end(object_start(scope, id, key_marker)) : object_key(scope, id, key_marker) + '\0');
    versions.skip_to(storage::prefix_end(common ? version_start(scope, id, key_marker) : versions_of_key(scope, id, key_marker)));
  }
  if (const auto order = version_marker.empty() ? std::nullopt : co_await marker_order(snapshot, scope, id, key_marker, version_marker)) {
    versions = Walk(snapshot, version_prefix(scope, id), version_range, storage::prefix_end(version_range));
    versions.skip_to(version_key(scope, id, key_marker, *order) + '\0');
    last_key = key_marker;
  }

  model::ListObjectVersionsOutput out;
  out.name = *in.bucket;
  out.prefix = text(prefix);
  out.key_marker = text(key_marker);
  out.version_id_marker = version_marker;
  if (!delimiter.empty()) out.delimiter = text(delimiter);
  out.max_keys = in.max_keys.value_or(1000);
  out.encoding_type = in.encoding_type;
  out.is_truncated = false;
  out.versions.emplace();
  out.delete_markers.emplace();
  out.common_prefixes.emplace();
  for (std::size_t count = 0; limit > 0; ++count) {
    const bool has_object = co_await objects.ready(), has_version = co_await versions.ready();
    if (!has_object && !has_version) break;
    if (count == limit) {
      out.is_truncated = true;
      break;
    }
    // An object stands before the older versions of its key.
    const bool from_objects = has_object && (!has_version || objects.key() <= versions.key());
    Walk& from = from_objects ? objects : versions;
    const std::string key = from.key();
    if (const std::string common = common_prefix_of(key, prefix, delimiter); !common.empty()) {
      out.common_prefixes->emplace_back().prefix = text(common);
      objects.skip_to(storage::prefix_end(object_start(scope, id, common)));
      versions.skip_to(storage::prefix_end(version_start(scope, id, common)));
      out.next_key_marker = text(common);
      out.next_version_id_marker.reset();
      continue;
    }
    const ObjectRecord record = parse_object(from.entry().value);
    add(out, text(key), record, key != last_key, scope.account);
    last_key = key;
    out.next_key_marker = text(key);
    out.next_version_id_marker = shown_version(record);
    from.next();
  }
  if (!*out.is_truncated) {
    out.next_key_marker.reset();
    out.next_version_id_marker.reset();
  }
  co_return out;
}

}  // namespace parvis::s3
