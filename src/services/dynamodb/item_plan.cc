// What a write makes of an item, and the commit that carries it: pure functions.
#include <algorithm>

#include "services/dynamodb/admission.h"
#include "services/dynamodb/change_stream.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/expiry.h"
#include "services/dynamodb/history.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

void check_update_paths(const TableRecord& table, const Update& update) {
  for (const Path& path : update.paths()) {
    for (const KeyAttribute& key : table.keys.attributes()) {
      if (path.root() == key.name) {
        throw_validation("One or more parameter values were invalid: Cannot update attribute " + key.name +
                         ". This attribute is part of the key");
      }
    }
  }
}

void add_index_changes(const TableRecord& table, const IndexRecord& index, std::uint64_t write_id, ItemWriteResult& result,
                       storage::Commit& commit) {
  std::optional<std::string> old_key, new_key;
  Item old_entry, new_entry;
  if (result.old_item && (old_key = index_key(table, index, *result.old_item))) {
    old_entry = index_projection(table, index, *result.old_item);
  }
  if (result.new_item && (new_key = index_key(table, index, *result.new_item))) {
    new_entry = index_projection(table, index, *result.new_item);
  }
  const auto size = [](const auto& key, const Item& entry) {
    return key ? static_cast<std::int64_t>(item_size_bytes(entry)) : 0;
  };
  result.counts.push_back({index.id, {(new_key ? 1 : 0) - (old_key ? 1 : 0), size(new_key, new_entry) - size(old_key, old_entry)}});
  double& units = result.index_units[index.name];
  const bool moved = old_key != new_key;
  if (old_key && moved) {
    units += write_units(item_size_bytes(old_entry));
    commit.erase(*old_key);
  }
  // While the index is filled the old entry may not be there yet, so it is written even when it would not change.
  if (new_key && (moved || index.backfilling || old_entry != new_entry)) {
    units += write_units(item_size_bytes(new_entry));
    commit.put(*new_key, encode_stored(write_id, new_entry));
  }
  if (units == 0) result.index_units.erase(index.name);
}

}  // namespace

std::optional<Planned> plan_write(const TableRecord& table, const ItemWrite& write, const std::optional<Item>& old_item) {
  if (write.update) check_update_paths(table, *write.update);
  static const Item kNone;
  if (write.condition && !evaluate(*write.condition, old_item ? *old_item : kNone)) return std::nullopt;
  switch (write.kind) {
    case ItemWrite::Kind::kPut:
      return Planned{write.item};
    case ItemWrite::Kind::kDelete:
      return Planned{std::nullopt};
    case ItemWrite::Kind::kCheck:
      return Planned{old_item};
    case ItemWrite::Kind::kUpdate:
      break;
  }
  Item base = old_item ? *old_item : write.item;
  if (!write.update) return Planned{std::move(base)};
  // The key of an item that does not exist yet cannot be read by the update's right sides.
  Item updated = apply_update(*write.update, old_item ? base : Item());
  // An update that only takes away makes no item; an empty one does.
  const Update& update = *write.update;
  const bool gives = !update.sets.empty() || !update.adds.empty();
  const bool takes = !update.removes.empty() || !update.deletes.empty();
  if (!old_item && takes && !gives) return Planned{std::nullopt};
  for (auto& [name, value] : write.item) updated.insert_or_assign(name, value);
  check_item(table, updated, true);
  return Planned{std::move(updated)};
}

void add_changes(const TableRecord& table, const WriteMark& mark, ItemWriteResult& result, const std::string& key,
                 storage::Commit& commit) {
  const std::size_t old_size = result.old_item ? item_size_bytes(*result.old_item) : 0;
  const std::size_t new_size = result.new_item ? item_size_bytes(*result.new_item) : 0;
  result.base_size_bytes = std::max(old_size, new_size);
  if (result.new_item) commit.put(key, encode_stored(mark.write_id, *result.new_item));
  else if (result.old_item) commit.erase(key);
  for (const IndexRecord& index : table.indexes) add_index_changes(table, index, mark.write_id, result, commit);
  result.counts.push_back({"", {(result.new_item ? 1 : 0) - (result.old_item ? 1 : 0),
                                static_cast<std::int64_t>(new_size) - static_cast<std::int64_t>(old_size)}});
  add_expiry_change(result, key, commit);
  add_history(result, key, mark.now_ms, commit);
  add_change(result, mark.now_ms, mark.expired, commit);
}

}  // namespace parvis::dynamodb
