#include "services/dynamodb/statistics.h"

#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;

void add(CountsByIndex& counts, const CountChange& change) {
  Counts& each = counts[change.index_id];
  each.items += change.by.items;
  each.bytes += change.by.bytes;
}

std::string to_json(const CountsByIndex& counts) {
  json::object out;
  for (const auto& [id, each] : counts) out[id] = json::array{each.items, each.bytes};
  return json::serialize(out);
}

}  // namespace

void Statistics::apply(const std::string& table_id, const std::vector<CountChange>& changes, storage::Stamp stamp) {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(table_id);
  if (found == states_.end()) return;
  State& state = *found->second;
  for (const CountChange& change : changes) {
    if (!state.known && state.as_of == 0) state.early.push_back({stamp, change});
    else if (state.known || stamp > state.as_of) add(state.counts, change);
  }
  state.changed = true;
}

void Statistics::forget(const std::string& table_id) {
  const std::lock_guard lock(mutex_);
  states_.erase(table_id);
}

awaitable<CountsByIndex> Statistics::of(Table table, std::shared_ptr<std::atomic<bool>> stop,
                                        std::function<void(awaitable<>)> spawn) {
  const auto count = std::make_shared<Count>();
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<State>& state = states_[table->id];
    if (state) co_return state->known ? state->counts : state->last;
    state = std::make_shared<State>();
    state->scope = table->scope;
    count->state = state;
  }
  count->table = table;
  std::exception_ptr failure;
  try {
    // From here on commits are collected, so none between the snapshot and now is missed.
    count->snapshot = store_.snapshot();
    {
      const std::lock_guard lock(mutex_);
      count->state->as_of = count->snapshot->stamp();
      for (const auto& [stamp, change] : count->state->early) {
        if (stamp > count->state->as_of) add(count->state->counts, change);
      }
      count->state->early.clear();
    }
    if (!co_await count_page(count)) {
      finish(*count);
      const std::lock_guard lock(mutex_);
      co_return count->state->counts;
    }
    CountsByIndex last = co_await stored(table->scope, table->id);
    spawn(count_rest(count, stop));
    const std::lock_guard lock(mutex_);
    count->state->last = last;
    co_return last;
  } catch (...) {
    failure = std::current_exception();
  }
  forget(table->id);
  std::rethrow_exception(failure);
}

// One store page of the items, and the same of each index while the table is that small.
awaitable<bool> Statistics::count_page(std::shared_ptr<Count> count) {
  const TableRecord& table = *count->table;
  for (bool more = false; count->part <= table.indexes.size() && !more;) {
    const std::string id = count->part == 0 ? std::string() : table.indexes[count->part - 1].id;
    const std::string prefix = count->part == 0 ? items_prefix(table.scope, table.id) : index_prefix(table.scope, table.id, id);
    storage::ScanOptions options;
    options.begin = count->cursor.empty() ? prefix : count->cursor;
    options.end = storage::prefix_end(prefix);
    const storage::ScanPage page = co_await count->snapshot->scan(std::move(options));
    for (const storage::Entry& entry : page.entries) {
      add(count->counts, {id, {1, static_cast<std::int64_t>(item_size_bytes(decode_stored(entry.value).item))}});
    }
    more = page.more && !page.entries.empty();
    count->cursor = more ? page.entries.back().key + '\0' : std::string();
    if (!more) ++count->part;
  }
  co_return count->part <= table.indexes.size();
}

awaitable<> Statistics::count_rest(std::shared_ptr<Count> count, std::shared_ptr<std::atomic<bool>> stop) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  std::exception_ptr failure;
  try {
    while (!*stop && co_await count_page(count)) co_await asio::post(executor, use_awaitable);  // others get their turn
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure || *stop) forget(count->table->id);
  else finish(*count);
  if (failure) std::rethrow_exception(failure);
}

void Statistics::finish(const Count& count) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, each] : count.counts) add(count.state->counts, {id, each});
  count.state->known = count.state->changed = true;
}

awaitable<CountsByIndex> Statistics::stored(aws::Scope scope, std::string table_id) {
  CountsByIndex out;
  const std::shared_ptr<storage::Snapshot> snapshot = store_.snapshot();
  const std::string key = statistics_key(scope, table_id);
  const std::optional<storage::Value> value = co_await snapshot->get(key);
  boost::system::error_code error;
  const json::value parsed = value ? json::parse(value->bytes, error) : json::value();
  if (error || !parsed.is_object()) co_return out;  // it is only a first guess
  for (const auto& [id, each] : parsed.get_object()) {
    const json::array* pair = each.if_array();
    if (pair && pair->size() == 2 && (*pair)[0].is_int64() && (*pair)[1].is_int64()) {
      out[std::string(id)] = {(*pair)[0].get_int64(), (*pair)[1].get_int64()};
    }
  }
  co_return out;
}

awaitable<> Statistics::save() {
  std::vector<storage::Put> puts;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, state] : states_) {
      if (!state->known || !state->changed) continue;
      state->changed = false;
      puts.push_back({statistics_key(state->scope, id), to_json(state->counts)});
    }
  }
  for (storage::Put& put : puts) {
    storage::Commit commit;
    commit.puts.push_back(std::move(put));
    co_await store_.commit(std::move(commit));  // what is lost is counted again
  }
}

}  // namespace parvis::dynamodb
