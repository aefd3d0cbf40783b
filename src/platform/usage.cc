#include "platform/usage.h"

#include <atomic>
#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/time_format.h"
#include "storage/tuple.h"

namespace parvis::platform {
namespace {

constexpr std::size_t kKeysPerCommit = 500;
constexpr int kAttemptsMax = 10;
constexpr std::string_view kOther = "(other)";

struct Field {
  std::string_view name;  // in JSON
  std::uint64_t Counts::* value;
};
constexpr Field kFields[] = {{"calls", &Counts::calls}, {"errors", &Counts::errors}, {"bytesIn", &Counts::bytes_in}, {"bytesOut", &Counts::bytes_out},
                             {"requests", &Counts::requests}, {"invocations", &Counts::invocations},
                             {"failedInvocations", &Counts::failed_invocations}, {"durationUs", &Counts::duration_us}, {"mbMs", &Counts::mb_ms}};

std::string key_of(const UsageKey& key, std::uint64_t day) {
  return storage::TupleWriter().string(key.account).string(key.region).string("usage").string("day").u64(day).string(key.service).string(key.resource).take();
}

std::string days_prefix(const aws::Scope& scope) {
  return storage::TupleWriter().string(scope.account).string(scope.region).string("usage").string("day").take();
}

struct Record {
  Counts counts;
  std::string flush;  // the last one that added to it
};

std::string encode(const Record& record) {
  boost::json::object out{{"format", 1}, {"flush", record.flush}};
  for (const Field& field : kFields) out[field.name] = record.counts.*field.value;
  return boost::json::serialize(out);
}

Record decode(std::string_view bytes) {
  Record record;
  boost::system::error_code wrong;
  const boost::json::value value = boost::json::parse(bytes, wrong);
  if (wrong || !value.is_object()) {
    spdlog::error("usage: a stored count cannot be read and begins anew");
    return record;
  }
  const auto& object = value.get_object();
  if (const auto* flush = object.if_contains("flush"); flush && flush->is_string()) record.flush = flush->get_string();
  for (const Field& field : kFields)
    if (const auto* number = object.if_contains(field.name); number && number->is_number()) record.counts.*field.value = number->to_number<std::uint64_t>();
  return record;
}

std::size_t shard_of_thread() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next++ % UsageMeter::kShards;
  return mine;
}

bool unknown_resource(std::string_view code) { return code.find("NotFound") != std::string_view::npos || code.starts_with("NoSuch"); }

// A name in a label: the clients' text must not break the page.
std::string label(std::string_view text) {
  std::string out;
  for (const char letter : text) out += letter < ' ' || letter > '~' || letter == '"' || letter == '\\' ? '_' : letter;
  return out;
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  for (const Field& field : kFields) this->*field.value += other.*field.value;
  return *this;
}

std::size_t UsageMeter::Hash::operator()(const View& view) const {
  std::size_t hash = 0;
  for (const std::string_view part : {view.account, view.region, view.service, view.resource})
    hash = hash * 0x9E3779B97F4A7C15u + std::hash<std::string_view>{}(part);
  return hash;
}

void UsageMeter::add(const aws::Scope& scope, std::string_view service, std::string_view resource, const Counts& counts) {
  Shard& shard = shards_[shard_of_thread()];
  const std::lock_guard lock(shard.mutex);
  auto found = shard.counts.find(View{scope.account, scope.region, service, resource});
  if (found == shard.counts.end()) {
    if (shard.counts.size() >= kResourcesMax) resource = kOther;
    found = shard.counts.try_emplace({scope.account, scope.region, std::string(service), std::string(resource)}).first;
  }
  found->second += counts;
}

void UsageMeter::call(const aws::CallRecord& call) {
  Counts counts{.calls = 1, .errors = call.status >= 400 ? 1u : 0u, .bytes_in = call.bytes_in, .bytes_out = call.bytes_out};
  // Names of what does not exist are anybody's to make up.
  if (call.resources.empty() || unknown_resource(call.error_code)) return add(call.call.scope, call.service, "", counts);
  for (const std::string& resource : call.resources) {
    add(call.call.scope, call.service, resource, counts);
    counts.bytes_in = counts.bytes_out = 0;  // the bytes of a batch count once
  }
}

void UsageMeter::request(const apigateway::RequestRecord& request) {
  add(request.scope, "apigateway", request.api_id, {.errors = request.status >= 400 ? 1u : 0u, .bytes_in = request.request_bytes,
                                                    .bytes_out = request.response_bytes, .requests = 1});
}

void UsageMeter::invocation(const lambda::InvocationRecord& invocation) {
  const functions::InvocationResult& result = invocation.result;
  if (result.outcome == functions::Outcome::kThrottled) return;  // nothing ran
  const auto us = static_cast<std::uint64_t>((result.init + result.duration).count());
  const std::uint64_t ms = (us + 999) / 1000;
  add(invocation.scope, "lambda", invocation.function.name, {.invocations = 1, .failed_invocations = invocation.function_error ? 1u : 0u,
                                                             .duration_us = us, .mb_ms = ms * invocation.function.memory_mb});
}

void UsageMeter::forget() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.counts.clear();
  }
  const std::lock_guard lock(mutex_);
  pending_.clear();
}

awaitable<> UsageMeter::flush() {
  std::vector<std::pair<UsageKey, Counts>> deltas;
  {
    const std::lock_guard lock(mutex_);
    for (Shard& shard : shards_) {
      std::unordered_map<UsageKey, Counts, Hash, Equal> taken;
      {
        const std::lock_guard inner(shard.mutex);
        taken.swap(shard.counts);
      }
      for (auto& [key, counts] : taken) {
        pending_[key] += counts;
        const bool room = totals_.size() < kResourcesMax || totals_.contains(key);
        totals_[room ? key : UsageKey{key.account, key.region, key.service, std::string(kOther)}] += counts;
      }
    }
    deltas.assign(pending_.begin(), pending_.end());
    pending_.clear();
  }
  const std::uint64_t day = day_of(clock_.wall());
  for (std::size_t at = 0; at < deltas.size(); at += kKeysPerCommit) {
    std::vector<std::pair<UsageKey, Counts>> part(deltas.begin() + static_cast<std::ptrdiff_t>(at),
                                                  deltas.begin() + static_cast<std::ptrdiff_t>(std::min(at + kKeysPerCommit, deltas.size())));
    if (co_await write(part, day)) continue;
    const std::lock_guard lock(mutex_);
    for (auto& [key, counts] : part) pending_[key] += counts;
  }
  if (std::exchange(swept_, day) != day) co_await remove_old(day);
}

// One commit of read values plus deltas. The flush's name in each value tells whether a commit of unknown outcome happened.
awaitable<bool> UsageMeter::write(std::vector<std::pair<UsageKey, Counts>> deltas, std::uint64_t day) {
  const std::string flush = entropy_.token(16);
  std::vector<std::string> keys;
  for (const auto& [key, counts] : deltas) keys.push_back(key_of(key, day));
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto values = co_await store_.snapshot()->multi_get(keys);
    storage::Commit commit;
    bool written = false;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      Record record = values[i] ? decode(values[i]->bytes) : Record{};
      written |= record.flush == flush;
      record.counts += deltas[i].second;
      record.flush = flush;
      commit.check(keys[i], values[i] ? std::optional(values[i]->version) : std::nullopt).put(keys[i], encode(record));
    }
    if (written) co_return true;
    const auto done = co_await store_.commit(std::move(commit));
    if (done) co_return true;
    if (done.error().code != storage::StoreErrc::kConflict && done.error().code != storage::StoreErrc::kUnknownOutcome) break;
  }
  co_return false;
}

awaitable<> UsageMeter::remove_old(std::uint64_t today) {
  const Millis limit = clock_.wall() - std::chrono::hours(24) * kDaysKept;
  for (const aws::Scope& scope : co_await scopes_of(store_)) {
    const std::string begin = days_prefix(scope), end = storage::TupleWriter(begin).u64(std::min(day_of(limit), today)).take();
    const storage::ScanPage page = co_await store_.snapshot()->scan({.begin = begin, .end = end});
    if (page.entries.empty()) continue;
    storage::Commit commit;
    for (const storage::Entry& entry : page.entries) commit.erase(entry.key);
    if (const auto done = co_await store_.commit(std::move(commit)); !done) spdlog::warn("usage: old days stay one day longer: {}", done.error().detail);
  }
}

awaitable<std::map<UsageKey, Counts>> UsageMeter::read(std::uint64_t first, std::uint64_t last) {
  std::map<UsageKey, Counts> out;
  const auto snapshot = store_.snapshot();
  for (const aws::Scope& scope : co_await scopes_of(store_)) {
    std::string at = storage::TupleWriter(days_prefix(scope)).u64(first).take();
    const std::string end = storage::prefix_end(storage::TupleWriter(days_prefix(scope)).u64(last).view());
    for (bool more = true; more;) {
      const storage::ScanPage page = co_await snapshot->scan({.begin = at, .end = end});
      for (const storage::Entry& entry : page.entries) {
        storage::TupleReader reader(std::string_view(entry.key).substr(days_prefix(scope).size()));
        const auto day = reader.u64();
        const auto service = day ? reader.string() : std::unexpected(day.error());
        const auto resource = service ? reader.string() : service;
        if (resource) out[{scope.account, scope.region, *service, *resource}] += decode(entry.value).counts;
      }
      more = page.more;
      if (more) at = page.entries.back().key + '\0';
    }
  }
  co_return out;
}

std::string UsageMeter::metrics() const {
  struct Family {
    std::string_view name;
    std::uint64_t Counts::* value;
  };
  static constexpr Family kFamilies[] = {{"parvis_resource_calls_total", &Counts::calls}, {"parvis_resource_errors_total", &Counts::errors},
                                         {"parvis_resource_bytes_in_total", &Counts::bytes_in}, {"parvis_resource_bytes_out_total", &Counts::bytes_out},
                                         {"parvis_api_requests_total", &Counts::requests}, {"parvis_function_invocations_total", &Counts::invocations},
                                         {"parvis_function_failures_total", &Counts::failed_invocations},
                                         {"parvis_function_duration_microseconds_total", &Counts::duration_us},
                                         {"parvis_function_megabyte_milliseconds_total", &Counts::mb_ms}};
  std::map<UsageKey, Counts> series;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, counts] : totals_) {
      const bool room = series.size() < kSeriesMax || series.contains(key);
      series[room ? key : UsageKey{"", "", "", std::string(kOther)}] += counts;
    }
  }
  std::string out;
  for (const Family& family : kFamilies) {
    out += fmt::format("# TYPE {} counter\n", family.name);
    for (const auto& [key, counts] : series)
      if (counts.*family.value != 0)
        out += fmt::format("{}{{account=\"{}\",region=\"{}\",service=\"{}\",resource=\"{}\"}} {}\n", family.name, label(key.account), label(key.region),
                           label(key.service), label(key.resource), counts.*family.value);
  }
  return out;
}

std::uint64_t day_of(Millis time) {
  const std::string text = format_iso8601(time);
  std::uint64_t day = 0;
  for (const char letter : text.substr(0, 10))
    if (letter != '-') day = day * 10 + static_cast<std::uint64_t>(letter - '0');
  return day;
}

awaitable<std::vector<aws::Scope>> scopes_of(storage::Store& store) {
  std::vector<aws::Scope> scopes;
  const auto snapshot = store.snapshot();
  for (std::string at;;) {
    const storage::ScanPage page = co_await snapshot->scan({.begin = at, .limit = 1});
    if (page.entries.empty()) co_return scopes;
    const std::string& key = page.entries[0].key;
    storage::TupleReader reader(key);
    const auto account = reader.string();
    const auto region = account ? reader.string() : account;
    if (!region) {  // the platform's own keys, of no account
      at = key + '\0';
      continue;
    }
    scopes.push_back({*account, *region});
    at = storage::prefix_end(storage::TupleWriter().string(*account).string(*region).view());
  }
}

boost::json::object usage_json(const std::map<UsageKey, Counts>& counts, const std::map<UsageKey, StoredBytes>& stored) {
  std::map<UsageKey, boost::json::object> rows;
  const auto row = [&](const UsageKey& key) -> boost::json::object& {
    auto [found, fresh] = rows.try_emplace(key);
    if (fresh) found->second = {{"account", key.account}, {"region", key.region}, {"service", key.service}, {"resource", key.resource}};
    return found->second;
  };
  for (const auto& [key, values] : counts)
    for (const Field& field : kFields)
      if (values.*field.value != 0) row(key)[field.name] = values.*field.value;
  for (const auto& [key, values] : stored) {
    row(key)["storedBytes"] = values.bytes;
    row(key)["storedItems"] = values.items;
  }
  boost::json::array list;
  for (auto& [key, object] : rows) list.push_back(std::move(object));
  return {{"resources", std::move(list)}};
}

}  // namespace parvis::platform
