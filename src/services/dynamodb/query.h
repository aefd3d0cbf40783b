// dynamodb/query.h: Query and Scan: one page of a table or index, in either direction, from one snapshot.
//
// A page ends after `limit` items or with the item that passes 1 MB, both counted before the filter.
// Source: API Reference, Query and Scan; Developer Guide, "Paginating table query results".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/dynamodb/catalog.h"
#include "services/dynamodb/evaluate.h"

namespace parvis::dynamodb {

inline constexpr std::size_t kPageBytesMax = 1u << 20;
inline constexpr std::int64_t kSegmentsMax = 1'000'000;

enum class Select { kDefault, kAllAttributes, kAllProjected, kSpecific, kCount };

struct PageRequest {
  std::string table_name;
  std::optional<std::string> index_name;
  std::optional<Condition> key_condition;  // Query; absent: Scan
  std::optional<Condition> filter;
  bool is_legacy_filter = false;  // QueryFilter, for messages
  bool is_legacy_projection = false;  // AttributesToGet, for messages
  bool is_statement = false;      // PartiQL: filters may name keys, but no attribute that an index lacks; the caller projects
  std::optional<Projection> projection;
  Select select = Select::kDefault;
  std::optional<std::int64_t> limit;
  std::optional<Item> start_key;
  bool forward = true;
  bool consistent = false;
  std::optional<std::int64_t> segment, total_segments;  // Scan
};

struct Page {
  Table table;
  std::vector<Item> items;  // none for Select COUNT
  std::int64_t count = 0, scanned_count = 0;
  std::optional<Item> last_key;
  std::size_t bytes_read = 0;        // of the table or index
  std::size_t bytes_fetched = 0;     // of the table, for a local index that lacks attributes
};

// Throws ResourceNotFoundException, ValidationException.
awaitable<Page> read_page(Catalog& catalog, aws::Scope scope, PageRequest request);

// The keys that a Query may touch: [begin, end) below the space that begins with `prefix`.
struct KeyRange {
  std::string begin, end;
};
// Throws ValidationException with DynamoDB's message when the condition is no key condition of `keys`.
KeyRange key_range(const KeySchema& keys, const Condition& condition, const std::string& prefix);

}  // namespace parvis::dynamodb
