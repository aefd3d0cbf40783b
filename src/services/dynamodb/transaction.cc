#include <boost/json.hpp>

#include "core/hash.h"
#include "services/dynamodb/collections.h"
#include "services/dynamodb/errors.h"
#include "services/dynamodb/item_store.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
constexpr int kAttemptsMax = 20;
constexpr std::size_t kExpiredTokensPerCommit = 10;

struct Reason {
  std::string code = "None";
  std::string message;
  std::optional<Item> item;
};

[[noreturn]] void throw_canceled(const std::vector<Reason>& reasons) {
  std::string codes;
  json::array members;
  for (const Reason& reason : reasons) {
    codes += (codes.empty() ? "" : ", ") + reason.code;
    json::object member{{"Code", reason.code}};
    if (!reason.message.empty()) member["Message"] = reason.message;
    if (reason.item) member["Item"] = item_to_json(*reason.item);
    members.push_back(std::move(member));
  }
  throw aws::ApiError(kTransactionCanceled,
                      "Transaction cancelled, please refer cancellation reasons for specific reasons [" + codes + "]",
                      {{"CancellationReasons", std::move(members)}});
}

// Several writes, over all attempts to commit them.
struct Prepared {
  std::vector<ItemWriteResult> results;      // with the tables
  std::vector<std::string> keys;             // of the items, then of their collections
  CollectionSizes collections;
  std::vector<storage::Check> table_checks;
};

void check_distinct(std::vector<std::string> keys, std::string_view message) {
  std::ranges::sort(keys);
  if (std::ranges::adjacent_find(keys) != keys.end()) {
    throw_validation(std::string(message));
  }
}

// Charges a commit and keeps the tables' counts after it; after one whose outcome is unknown they are counted again.
void note_counts(Catalog& catalog, const std::vector<ItemWriteResult>& results, std::optional<storage::Stamp> stamp,
                 double price = 1) {
  for (const ItemWriteResult& result : results) {
    if (stamp) charge_write(catalog.admission(), result, price);
    if (stamp) catalog.statistics().apply(result.table->id, result.counts, *stamp);
    else catalog.statistics().forget(result.table->id);
  }
}

// The outcome of one write against what the store holds; a reason other than None when it cannot be done.
Reason prepare_one(const ItemWrite& write, const std::string& key, const std::optional<storage::Value>& value,
                   const WriteMark& mark, ItemWriteResult& result, storage::Commit& commit) {
  if (value) result.old_item = decode_stored(value->bytes).item;
  try {
    std::optional<Planned> planned = plan_write(*result.table, write, result.old_item);
    if (!planned && write.is_insert) return {"DuplicateItem", std::string(kDuplicateItemMessage), std::nullopt};
    if (!planned) {
      return {"ConditionalCheckFailed", "The conditional request failed",
              write.return_old_on_failure ? result.old_item : std::nullopt};
    }
    result.new_item = std::move(planned->new_item);
  } catch (const aws::ApiError& error) {
    if (error.code() != kValidation.code) throw;
    return {"ValidationError", error.message(), std::nullopt};
  }
  if (write.kind == ItemWrite::Kind::kCheck) {
    result.base_size_bytes = result.old_item ? item_size_bytes(*result.old_item) : 0;
    return {};
  }
  add_changes(*result.table, mark, result, key, commit);
  return {};
}

awaitable<Prepared> prepare(Catalog& catalog, std::shared_ptr<storage::Snapshot> snapshot, const aws::Scope& scope,
                            const std::vector<ItemWrite>& writes, std::string_view duplicates_message) {
  Prepared prepared;
  for (const ItemWrite& write : writes) {
    ItemWriteResult result;
    result.table = co_await catalog.find(snapshot, scope, write.table_name);
    if (write.kind == ItemWrite::Kind::kPut) check_item(*result.table, write.item, false);
    else check_key(result.table->keys, write.item);
    prepared.keys.push_back(item_key(*result.table, write.item));
    prepared.table_checks.push_back({table_key(scope, write.table_name), result.table.version});
    prepared.results.push_back(std::move(result));
  }
  auto& checks = prepared.table_checks;
  std::ranges::sort(checks, {}, &storage::Check::key);
  checks.erase(std::ranges::unique(checks, {}, &storage::Check::key).begin(), checks.end());
  check_distinct(prepared.keys, duplicates_message);
  for (std::size_t i = 0; i < writes.size(); ++i) prepared.collections.add(*prepared.results[i].table, writes[i].item, prepared.keys);
  co_return prepared;
}

struct CommitLimits {
  bool is_transaction = true;
  std::size_t bytes_max = kTransactionBytesMax;  // of all items
  std::int64_t collection_bytes_max = kCollectionBytesMax;
};

// The commit of all writes upon the newest `values` of their items; may be made several times.
storage::Commit make_commit(Catalog& catalog, const std::vector<ItemWrite>& writes, Prepared& prepared,
                            std::span<const std::optional<storage::Value>> values, CommitLimits limits) {
  storage::Commit commit;
  commit.checks = prepared.table_checks;
  const WriteMark mark{catalog.entropy().next_u64(), catalog.clock().due().time_since_epoch().count(), false};
  std::vector<Reason> reasons;
  std::size_t bytes = 0;
  prepared.collections.begin(values);
  for (std::size_t i = 0; i < writes.size(); ++i) {
    ItemWriteResult& result = prepared.results[i];
    result = {.table = std::move(result.table), .old_item = {}, .new_item = {}, .base_size_bytes = 0, .index_units = {}, .counts = {}};
    reasons.push_back(prepare_one(writes[i], prepared.keys[i], values[i], mark, result, commit));
    bytes += result.base_size_bytes;
    if (prepared.collections.apply(i, limits.collection_bytes_max, result)) continue;
    if (!limits.is_transaction) throw aws::ApiError(kItemCollectionSizeLimit, std::string(kCollectionTooLargeMessage));
    reasons.back() = {"ItemCollectionSizeLimitExceeded", std::string(kCollectionTooLargeMessage), std::nullopt};
  }
  if (std::ranges::any_of(reasons, [](const Reason& reason) { return reason.code != "None"; })) throw_canceled(reasons);
  if (bytes > limits.bytes_max) throw_validation("The aggregate size of the items in the transaction exceeds 4 MB");
  prepared.collections.put_changed(commit);
  return commit;
}

void check_capacity(Admission& admission, const std::vector<ItemWriteResult>& results) {
  std::vector<Reason> reasons(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    try {
      check_write_capacity(admission, results[i]);
    } catch (const aws::ApiError& error) {
      reasons[i] = {error.code() == kThrottling.code ? "ThrottlingError" : "ProvisionedThroughputExceeded", error.message(), std::nullopt};
    }
  }
  if (std::ranges::any_of(reasons, [](const Reason& reason) { return reason.code != "None"; })) throw_canceled(reasons);
}

struct TokenRecord {
  std::string fingerprint, write_mark;
  std::int64_t expiry_ms = 0;
};

std::optional<TokenRecord> read_token(const std::optional<storage::Value>& value) {
  if (!value) return std::nullopt;
  boost::system::error_code error;
  const json::value parsed = json::parse(value->bytes, error);
  const json::object* record = error ? nullptr : parsed.if_object();
  if (!record || !record->contains("expiry")) return std::nullopt;
  return TokenRecord{json::value_to<std::string>(record->at("fingerprint")), json::value_to<std::string>(record->at("mark")),
                     record->at("expiry").as_int64()};
}

// Deletes of a few tokens that have expired: each transaction pays for its own.
awaitable<std::vector<std::string>> expired_tokens(std::shared_ptr<storage::Snapshot> snapshot, const aws::Scope& scope,
                                                   std::int64_t now_ms, const std::string& own_token) {
  storage::ScanOptions options;
  options.begin = token_expiries_prefix(scope);
  options.end = token_expiry_key(scope, now_ms, "");
  options.limit = kExpiredTokensPerCommit;
  const storage::ScanPage page = co_await snapshot->scan(std::move(options));
  std::vector<std::string> keys;
  for (const storage::Entry& entry : page.entries) {
    if (entry.value != own_token) keys.push_back(token_key(scope, entry.value));
    keys.push_back(entry.key);
  }
  co_return keys;
}

// True: a transaction with this token was done in the last ten minutes. Throws IdempotentParameterMismatchException.
bool is_repeated(const std::optional<storage::Value>& token_value, std::int64_t now_ms, const std::string& fingerprint) {
  const std::optional<TokenRecord> record = read_token(token_value);
  if (!record || record->expiry_ms <= now_ms) return false;
  if (record->fingerprint != fingerprint) {
    throw aws::ApiError(kIdempotentParameterMismatch,
                        "Request parameters do not match the parameters of an earlier request with the same client token");
  }
  return true;
}

}  // namespace

awaitable<std::vector<ItemWriteResult>> ItemStore::transact(aws::Scope scope, std::vector<ItemWrite> writes,
                                                            std::string token, std::string fingerprint) {
  // Without a token of the client a fresh one is written all the same: it tells after an unknown outcome what happened.
  const std::string mark = catalog_.entropy().uuid();
  if (token.empty()) token = "-" + mark;
  const std::string key = token_key(scope, token);
  storage::StoreError last_error{storage::StoreErrc::kConflict, {}, {}};
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    co_await back_off(attempt, catalog_.entropy());
    const std::shared_ptr<storage::Snapshot> snapshot = catalog_.store().snapshot();
    const std::int64_t now_ms = catalog_.clock().wall().time_since_epoch().count();
    const std::int64_t expiry_ms = now_ms + kClientTokenLifeMs;
    Prepared prepared = co_await prepare(catalog_, snapshot, scope, writes,
                                         "Transaction request cannot include multiple operations on one item");
    const std::vector<std::string> expired = co_await expired_tokens(snapshot, scope, now_ms, token);
    bool repeated = false;
    storage::Update update{prepared.keys, [&](std::span<const std::optional<storage::Value>> values) {
      repeated = is_repeated(values.back(), now_ms, fingerprint);
      if (repeated) return storage::Commit();
      storage::Commit commit = make_commit(catalog_, writes, prepared, values, {true, kTransactionBytesMax, collection_bytes_max_});
      check_capacity(catalog_.admission(), prepared.results);
      for (const std::string& each : expired) commit.erase(each);
      commit.put(key, json::serialize(json::object{{"fingerprint", fingerprint}, {"mark", mark}, {"expiry", expiry_ms}}));
      commit.put(token_expiry_key(scope, expiry_ms, token), token);
      return commit;
    }};
    update.keys.push_back(key);
    const auto done = co_await catalog_.store().update(std::move(update));
    if (done && repeated) {
      for (std::size_t i = 0; i < writes.size(); ++i) {
        prepared.results[i] = {.table = prepared.results[i].table, .old_item = {}, .new_item = {},
                               .base_size_bytes = item_size_bytes(writes[i].item), .index_units = {}, .counts = {}};
      }
      co_return std::move(prepared.results);
    }
    if (done) note_counts(catalog_, prepared.results, *done, 2);
    if (done) co_return std::move(prepared.results);
    last_error = done.error();
    if (last_error.code == storage::StoreErrc::kUnknownOutcome) note_counts(catalog_, prepared.results, std::nullopt);
    if (last_error.code != storage::StoreErrc::kConflict && last_error.code != storage::StoreErrc::kUnknownOutcome) {
      throw_store_error(last_error);
    }
  }
  if (last_error.code != storage::StoreErrc::kConflict) throw_store_error(last_error);
  throw_canceled(std::vector<Reason>(writes.size(), Reason{"TransactionConflict",
                                                           "Transaction is ongoing for the item", std::nullopt}));
}

awaitable<std::vector<ItemWriteResult>> ItemStore::write_batch(aws::Scope scope, std::vector<ItemWrite> writes) {
  storage::StoreError last_error{storage::StoreErrc::kConflict, {}, {}};
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    co_await back_off(attempt, catalog_.entropy());
    // Puts and deletes without conditions come to the same when they are done twice, so any outcome may be tried again.
    Prepared prepared = co_await prepare(catalog_, catalog_.store().snapshot(), scope, writes,
                                         "Provided list of item keys contains duplicates");
    bool changes = false;
    const auto done = co_await catalog_.store().update({prepared.keys, [&](std::span<const std::optional<storage::Value>> values) {
      storage::Commit commit = make_commit(catalog_, writes, prepared, values, {false, SIZE_MAX, collection_bytes_max_});
      changes = commit.writes();
      return commit;
    }});
    if (done && changes) note_counts(catalog_, prepared.results, *done);
    if (done) co_return std::move(prepared.results);
    last_error = done.error();
    if (last_error.code == storage::StoreErrc::kUnknownOutcome) note_counts(catalog_, prepared.results, std::nullopt);
    if (last_error.code == storage::StoreErrc::kTooLarge && writes.size() > 1) {
      const auto middle = writes.begin() + static_cast<std::ptrdiff_t>(writes.size() / 2);
      std::vector<ItemWrite> second(std::make_move_iterator(middle), std::make_move_iterator(writes.end()));
      writes.erase(middle, writes.end());
      std::vector<ItemWriteResult> results = co_await write_batch(scope, std::move(writes));
      std::vector<ItemWriteResult> rest = co_await write_batch(scope, std::move(second));
      std::ranges::move(rest, std::back_inserter(results));
      co_return results;
    }
    if (last_error.code != storage::StoreErrc::kConflict && last_error.code != storage::StoreErrc::kUnknownOutcome) {
      throw_store_error(last_error);
    }
  }
  throw_store_error(last_error);
}

}  // namespace parvis::dynamodb
