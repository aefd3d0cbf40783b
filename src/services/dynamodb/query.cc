#include "services/dynamodb/query.h"

#include <algorithm>
#include <set>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

// What is wrong with Select itself stands in the envelope of model validation. Source: moto's tests marked as verified.
constexpr std::string_view kOneError = "1 validation error detected: ";
constexpr std::string_view kBadStart = "The provided starting key is invalid";

struct Target {  // the table itself or one of its indexes
  const TableRecord& table;
  const IndexRecord* index;
  const KeySchema& keys() const { return index ? index->keys : table.keys; }
  std::string prefix() const {
    return index ? index_prefix(table.scope, table.id, index->id) : items_prefix(table.scope, table.id);
  }
  std::string key(const Item& item) const { return index ? *index_key(table, *index, item) : item_key(table, item); }
  Item key_attributes(const Item& item) const {
    Item out = key_of(keys(), item);
    out.merge(key_of(table.keys, item));
    return out;
  }
  bool projects(const std::string& name) const {
    if (!index || index->projected == Projected::kAll) return true;
    const auto named = [&](const KeySchema& schema) {
      return std::ranges::any_of(schema.attributes(), [&](const KeyAttribute& key) { return key.name == name; });
    };
    return named(index->keys) || named(table.keys) || std::ranges::find(index->non_key_attributes, name) != index->non_key_attributes.end();
  }
};

Target target_of(const Table& table, const PageRequest& request) {
  if (!request.index_name) return {*table, nullptr};
  const IndexRecord* index = table->index(*request.index_name);
  if (!index) throw_validation("The table does not have the specified index: " + *request.index_name);
  if (index->backfilling) throw_validation("Cannot read from backfilling global secondary index: " + index->name);
  if (index->global && request.consistent) {
    throw_validation("Consistent reads are not supported on global secondary indexes");
  }
  return {*table, index};
}

void check_select(const Target& target, const PageRequest& request) {
  if (request.select == Select::kAllProjected && !target.index) {
    throw_validation(std::string(kOneError) + "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
  }
  if (request.select == Select::kSpecific && !request.projection) {
    throw_validation(std::string(kOneError) + "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES");
  }
  if (request.projection && request.select != Select::kSpecific && request.select != Select::kDefault) {
    const std::string_view name = request.select == Select::kCount           ? "only the Count"
                                  : request.select == Select::kAllAttributes ? "ALL_ATTRIBUTES"
                                                                             : "ALL_PROJECTED_ATTRIBUTES";
    throw_validation(std::string(kOneError) + "Cannot specify the " + (request.is_legacy_projection ? "AttributesToGet" : "ProjectionExpression") +
                     " when choosing to get " + std::string(name));
  }
  if (!target.index || !target.index->global) return;
  if (request.select == Select::kAllAttributes && target.index->projected != Projected::kAll) {
    throw_validation("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global "
                     "secondary index " + target.index->name + " because its projection type is not ALL");
  }
  for (const Path& path : request.projection.value_or(Projection{})) {
    if (!target.projects(path.root())) {
      throw_validation("One or more parameter values were invalid: Global secondary index " + target.index->name +
                       " does not project [" + path.root() + "]");
    }
  }
}

void check_filter(const Target& target, const PageRequest& request) {
  if (request.filter && request.is_statement) {
    return each_path(*request.filter, [&](const Path& path) {
      if (target.projects(path.root())) return;
      throw_validation("One or more parameter values were invalid: Secondary index " + target.index->name +
                       " does not project one or more filter attributes: [" + path.root() + "]");
    });
  }
  if (!request.filter || !request.key_condition) return;
  each_path(*request.filter, [&](const Path& path) {
    for (const KeyAttribute& key : target.keys().attributes()) {
      if (path.root() == key.name) {
        throw_validation(std::string(request.is_legacy_filter ? "QueryFilter" : "Filter Expression") +
                         " can only contain non-primary key attributes: Primary key attribute: " + key.name);
      }
    }
  });
}

KeyRange segment_range(const PageRequest& request, const std::string& prefix) {
  if (request.segment && !request.total_segments) {
    throw_validation("The TotalSegments parameter is required but was not present in the request when Segment parameter is "
                     "present");
  }
  if (!request.segment && request.total_segments) {
    throw_validation("The Segment parameter is required but was not present in the request when parameter TotalSegments is "
                     "present");
  }
  KeyRange range{prefix, storage::prefix_end(prefix)};
  if (!request.segment) return range;
  const std::int64_t segment = *request.segment, total = *request.total_segments;
  if (total < 1 || total > kSegmentsMax || segment < 0) throw_validation("Segment or TotalSegments is out of range");
  if (segment >= total) {
    throw_validation("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: " +
                     std::to_string(segment) + " is not less than TotalSegments: " + std::to_string(total));
  }
  // Segment s of n holds the hashes from ceil(s * 2^64 / n) on: without 128-bit numbers, by steps of 2^64 / n rounded down.
  const std::uint64_t step = ~std::uint64_t{0} / static_cast<std::uint64_t>(total);
  range.begin = at_hash(prefix, step * static_cast<std::uint64_t>(segment));
  if (segment + 1 < total) range.end = at_hash(prefix, step * static_cast<std::uint64_t>(segment + 1));
  return range;
}

// Narrows the range to what lies behind the start key.
void apply_start_key(const Target& target, const PageRequest& request, KeyRange& range) {
  if (!request.start_key) return;
  const Item& start = *request.start_key;

  std::set<std::string> names;
  for (const KeySchema* schema : {&target.keys(), &target.table.keys}) {
    for (const KeyAttribute& key : schema->attributes()) {
      names.insert(key.name);
      const auto found = start.find(key.name);
      if (found == start.end() || found->second.type() != key.type) {
        throw_validation(std::string(kBadStart) + ": The provided key element does not match the schema");
      }
    }
  }
  if (start.size() != names.size()) {
    throw_validation(std::string(kBadStart) + ": The provided key element does not match the schema");
  }
  check_key(target.table.keys, key_of(target.table.keys, start));
  if (target.index && !index_key(target.table, *target.index, start)) throw_validation(std::string(kBadStart));
  const std::string key = target.key(start);
  if (key < range.begin || key >= range.end) {
    if (request.key_condition) {
      throw_validation("The provided starting key is outside query boundaries based on provided conditions");
    }
    throw_validation(std::string(kBadStart) + ": Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment.");
  }
  if (request.forward) range.begin = key + '\0';
  else range.end = key;
}

class PageReader {
 public:
  PageReader(std::shared_ptr<storage::Snapshot> snapshot, const Target& target, const PageRequest& request, Page& page)
      : snapshot_(std::move(snapshot)), target_(target), request_(request), page_(page) {
    fetches_ = target.index && !target.index->global && target.index->projected != Projected::kAll &&
               (request.select == Select::kAllAttributes ||
                std::ranges::any_of(request.projection.value_or(Projection{}),
                                    [&](const Path& path) { return !target_.projects(path.root()); }));
  }

  awaitable<> read(KeyRange range) {
    const std::size_t limit = request_.limit ? static_cast<std::size_t>(*request_.limit) : SIZE_MAX;
    while (range.begin < range.end) {
      storage::ScanOptions options;
      options.begin = range.begin;
      options.end = range.end;
      options.reverse = !request_.forward;
      options.limit = std::min<std::size_t>(1000, limit - static_cast<std::size_t>(page_.scanned_count));
      options.bytes_max = 512u << 10;
      const storage::ScanPage entries = co_await snapshot_->scan(std::move(options));
      for (const storage::Entry& entry : entries.entries) {
        Item item = decode_stored(entry.value).item;
        page_.bytes_read += item_size_bytes(item);
        ++page_.scanned_count;
        const bool full = static_cast<std::size_t>(page_.scanned_count) >= limit || page_.bytes_read >= kPageBytesMax;
        if (full) page_.last_key = target_.key_attributes(item);
        if (fetches_) co_await fetch(item);
        take(std::move(item));
        if (full) co_return;
      }
      if (!entries.more || entries.entries.empty()) co_return;
      if (request_.forward) range.begin = entries.entries.back().key + '\0';
      else range.end = entries.entries.back().key;
    }
  }

 private:
  // Puts the table's whole item in place of what the index has of it.
  awaitable<> fetch(Item& item) {
    const std::string key = item_key(target_.table, item);
    if (const std::optional<storage::Value> value = co_await snapshot_->get(key)) {
      item = decode_stored(value->bytes).item;
      page_.bytes_fetched += item_size_bytes(item);
    }
  }

  void take(Item item) {
    if (request_.filter && !evaluate(*request_.filter, item)) return;
    ++page_.count;
    if (request_.select == Select::kCount) return;
    const bool projects = request_.projection && !request_.is_statement;
    page_.items.push_back(projects ? project(item, *request_.projection) : std::move(item));
  }

  std::shared_ptr<storage::Snapshot> snapshot_;
  const Target& target_;
  const PageRequest& request_;
  Page& page_;
  bool fetches_ = false;
};

}  // namespace

awaitable<Page> read_page(Catalog& catalog, aws::Scope scope, PageRequest request) {
  const std::shared_ptr<storage::Snapshot> snapshot = catalog.store().snapshot();
  Page page;
  page.table = co_await catalog.find(snapshot, scope, request.table_name);
  const Target target = target_of(page.table, request);
  check_select(target, request);
  check_filter(target, request);
  catalog.admission().check(*page.table, target.index, Access::kRead);
  KeyRange range = request.key_condition ? key_range(target.keys(), *request.key_condition, target.prefix())
                                         : segment_range(request, target.prefix());
  apply_start_key(target, request, range);
  PageReader reader(snapshot, target, request, page);
  co_await reader.read(std::move(range));
  catalog.admission().charge(*page.table, target.index, Access::kRead, read_units(page.bytes_read, request.consistent));
  if (page.bytes_fetched > 0) {
    catalog.admission().charge(*page.table, nullptr, Access::kRead, read_units(page.bytes_fetched, request.consistent));
  }
  co_return page;
}

}  // namespace parvis::dynamodb
