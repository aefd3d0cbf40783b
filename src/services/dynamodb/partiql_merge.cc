// ORDER BY a sort key over several partitions: a page from each, merged.
#include <algorithm>
#include <deque>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/partiql_plan.h"

namespace parvis::dynamodb {
namespace {

constexpr std::int64_t kItemsAhead = 100;  // read of one partition at a time

struct Run {
  Condition key_condition;
  std::optional<Item> start;  // behind what was given out
  std::optional<Item> next;   // behind what was read
  bool ended = false;         // nothing is left to read
  std::deque<Item> items;
};

Item start_key(const TableRecord& table, const KeySchema& keys, const Item& item) {
  Item key = key_of(table.keys, item);
  key.merge(key_of(keys, item));
  return key;
}

// The run whose first item comes next; nullptr when all are empty.
Run* first_of(std::vector<Run>& runs, const std::string& sort, bool forward) {
  Run* first = nullptr;
  for (Run& run : runs) {
    if (run.items.empty()) continue;
    if (!first) {
      first = &run;
      continue;
    }
    const AttributeValue &a = run.items.front().at(sort), &b = first->items.front().at(sort);
    if (forward ? key_less(a, b) : key_less(b, a)) first = &run;
  }
  return first;
}

}  // namespace

awaitable<PartiqlPage> read_merged_page(Catalog& catalog, aws::Scope scope, const TableRecord& table, const KeySchema& keys,
                                        KeyParts parts, PageRequest request, PartiqlSelect select) {
  const std::vector<PartiqlPosition::Run>& from = select.from.runs;
  if (!from.empty() && from.size() != parts.partitions.size()) throw_validation("NextToken does not match request");
  std::vector<Run> runs(parts.partitions.size());
  request.filter = all_of(std::move(parts.rest));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::vector<Condition> condition{equality(keys.partition.name, parts.partitions[i])};
    if (parts.sort) condition.push_back(*parts.sort);
    runs[i].key_condition = *all_of(std::move(condition));
    if (from.empty()) continue;
    runs[i].ended = from[i].ended;
    runs[i].start = runs[i].next = from[i].key;
  }
  PartiqlPage out;
  const auto is_full = [&] {
    return out.page.bytes_read >= kPageBytesMax || (select.limit && out.page.count >= *select.limit);
  };
  bool filled = true;  // every run shows its first item, or has none
  while (true) {
    for (Run& run : runs) {
      while (run.items.empty() && !run.ended && (filled = !is_full() || !out.page.table.record)) {
        PageRequest each = request;
        each.key_condition = run.key_condition;
        each.start_key = run.next;
        each.limit = kItemsAhead;
        Page page = co_await read_page(catalog, scope, std::move(each));
        out.page.table = page.table;
        out.page.scanned_count += page.scanned_count;
        out.page.bytes_read += page.bytes_read;
        out.page.bytes_fetched += page.bytes_fetched;
        std::ranges::move(page.items, std::back_inserter(run.items));
        run.ended = !page.last_key;
        run.next = std::move(page.last_key);
        if (run.items.empty()) run.start = run.next;  // all were filtered out
      }
      if (!filled) break;
    }
    Run* first = filled ? first_of(runs, keys.sort->name, request.forward) : nullptr;
    if (!first || (select.limit && out.page.count >= *select.limit)) break;
    first->start = start_key(table, keys, first->items.front());
    out.page.items.push_back(std::move(first->items.front()));
    first->items.pop_front();
    ++out.page.count;
  }
  if (!out.page.table.record) out.page.table = co_await catalog.find(catalog.store().snapshot(), scope, table.name);
  PartiqlPosition next;
  bool more = false;
  for (const Run& run : runs) {
    next.runs.push_back({run.ended && run.items.empty(), run.start});
    more = more || !next.runs.back().ended;
  }
  if (more) out.next = std::move(next);
  co_return out;
}

}  // namespace parvis::dynamodb
