#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>

#include "services/lambda/keyspace.h"
#include "services/lambda/operations.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

FunctionRef published_ref(const aws::Scope& scope, const std::optional<std::string>& name, const std::optional<std::string>& qualifier, std::string_view message) {
  FunctionRef ref = parse_function_ref(scope, or_default(name), or_default(qualifier));
  if (is_latest(ref.qualifier)) throw error(kInvalidParameterValue, std::string(message));
  return ref;
}

constexpr std::string_view kUnpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
constexpr std::string_view kNotPublished = "The function resource provided must be an alias or a published version.";

template <class Out>
Out describe_provisioned(const ProvisionedConfig& config, const ProvisionedState& state) {
  Out out;
  out.requested_provisioned_concurrent_executions = config.count;
  out.allocated_provisioned_concurrent_executions = out.available_provisioned_concurrent_executions = state.allocated;
  out.status = state.status;
  if (!state.reason.empty()) out.status_reason = state.reason;
  out.last_modified = format_last_modified(config.modified);
  return out;
}

}  // namespace

awaitable<Provisioning> LambdaService::provisioning(FunctionRecord owner) {
  Provisioning out;
  const std::array<std::string_view, 2> kinds{kProvisionedPart, kAliasPart};
  for (const std::string_view kind : kinds) {
    for (std::string after;;) {
      const auto page = co_await functions_.parts(owner, kind, after);
      for (const Part& part : page.parts) {
        if (kind == kAliasPart) {
          if (auto alias = parse_alias(part.bytes)) out.aliases.emplace(part.qualifier, std::move(*alias));
        } else if (const auto config = parse_provisioned(part.bytes)) {
          out.configs.emplace(part.qualifier, *config);
        }
      }
      if (!page.more || page.parts.empty()) break;
      after = page.parts.back().qualifier;
    }
  }
  co_return out;
}

void LambdaService::guard_parts(const FunctionRecord& owner, std::string_view kind, storage::Stamp as_of, storage::Commit& commit) {
  const std::string prefix = part_prefix(owner.scope.account, owner.scope.region, owner.id, kind);
  commit.guards.push_back({prefix, storage::prefix_end(prefix), as_of});
}

// Concurrency that is provisioned is taken off what the function reserved, or off what all others share.
awaitable<> LambdaService::check_provisioned_count(FunctionRecord function, int count, int before, int others) {
  if (count < 1) {
    throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'provisionedConcurrentExecutions' failed to satisfy constraint: Member must have "
        "value greater than or equal to 1", count));
  }
  if (function.reserved_concurrency) {
    if (count + others > *function.reserved_concurrency) {
      throw error(kInvalidParameterValue, "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function");
    }
    co_return;
  }
  if (count > kAccountConcurrency) {
    throw error(kInvalidParameterValue, fmt::format("Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{}].", kAccountConcurrency));
  }
  if ((co_await set_aside(function.scope)) - before + count > kAccountConcurrency - kUnreservedMin) {
    throw error(kInvalidParameterValue, fmt::format("Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value "
        "of [{}].", kUnreservedMin));
  }
}

awaitable<model::PutProvisionedConcurrencyConfigOutput> LambdaService::put_provisioned(aws::CallContext call, model::PutProvisionedConcurrencyConfigInput in) {
  const FunctionRef ref = published_ref(call.scope, in.function_name, in.qualifier, kUnpublished);
  ProvisionedConfig config{or_default(in.provisioned_concurrent_executions), clock_.wall()};
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const storage::Stamp as_of = functions_.store().snapshot()->stamp();
    const Target found = co_await target(ref);
    const FunctionRecord& owner = found.function.record;
    const Provisioning now = co_await provisioning(owner);
    const PartId id{kProvisionedPart, ref.qualifier};
    const std::optional<Part> part = co_await functions_.part(owner, id);
    const auto known = now.configs.find(ref.qualifier);
    const int before = known == now.configs.end() ? 0 : known->second.count;
    co_await check_provisioned_count(owner, config.count, before, now.total() - before);
    if (found.alias) now.check_alias(*found.alias, true);
    else now.check_version(ref.qualifier);
    storage::Commit with;
    guard_parts(owner, kAliasPart, as_of, with);
    guard_parts(owner, kProvisionedPart, as_of, with);
    if (!found.alias) {  // a version that goes at the same time takes this with it, or is there
      const PartId version{kVersionPart, ref.qualifier};
      const std::optional<Part> there = co_await functions_.part(owner, version);
      if (!there) continue;
      with.check(FunctionStore::key_of(owner, version), there->version);
    }
    with.put(provisioned_key(ref.scope.account, ref.scope.region, ref.name), "");
    const std::optional<storage::Version> expected = part ? std::optional(part->version) : std::nullopt;
    if (!co_await functions_.write_part(found.function, id, to_json(config), expected, std::move(with))) continue;
    co_await provision(ref);
    co_return describe_provisioned<model::PutProvisionedConcurrencyConfigOutput>(config, {.allocated = 0, .status = "IN_PROGRESS", .reason = {}});
  }
  throw update_in_progress(ref);
}

ProvisionedState LambdaService::provisioned_now(const FunctionRecord& owner, const Provisioning& all, const std::string& qualifier) {
  const auto shares = all.shares(qualifier);
  std::map<std::string, functions::Engine::Kept> kept;
  for (const auto& [version, count] : shares) kept[version] = invoker_.kept(owner.arn() + ":" + version);
  return provisioned_state(shares, kept);
}

awaitable<model::GetProvisionedConcurrencyConfigOutput> LambdaService::get_provisioned(aws::CallContext call, model::GetProvisionedConcurrencyConfigInput in) {
  const FunctionRef ref = published_ref(call.scope, in.function_name, in.qualifier, kNotPublished);
  const Target found = co_await target(ref);
  const Provisioning all = co_await provisioning(found.function.record);
  const auto config = all.configs.find(ref.qualifier);
  if (config == all.configs.end()) throw error(kProvisionedConfigNotFound, "No Provisioned Concurrency Config found for this function");
  co_return describe_provisioned<model::GetProvisionedConcurrencyConfigOutput>(config->second, provisioned_now(found.function.record, all, ref.qualifier));
}

awaitable<model::DeleteProvisionedConcurrencyConfigOutput> LambdaService::delete_provisioned(aws::CallContext call, model::DeleteProvisionedConcurrencyConfigInput in) {
  const FunctionRef ref = published_ref(call.scope, in.function_name, in.qualifier, kNotPublished);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const Target found = co_await target(ref);
    const PartId id{kProvisionedPart, ref.qualifier};
    const std::optional<Part> part = co_await functions_.part(found.function.record, id);
    if (!part) co_return model::DeleteProvisionedConcurrencyConfigOutput{};  // as on AWS, one that is not there is deleted
    if (!co_await functions_.erase_part(found.function, id, part->version)) continue;
    co_await provision(ref);
    co_return model::DeleteProvisionedConcurrencyConfigOutput{};
  }
  throw update_in_progress(ref);
}

awaitable<model::ListProvisionedConcurrencyConfigsOutput> LambdaService::list_provisioned(aws::CallContext call, model::ListProvisionedConcurrencyConfigsInput in) {
  const StoredFunction function = co_await functions_.get(latest_ref(call.scope, or_default(in.function_name)));
  const Provisioning all = co_await provisioning(function.record);
  const std::size_t limit = page_size(in.max_items);
  model::ListProvisionedConcurrencyConfigsOutput out;
  out.provisioned_concurrency_configs.emplace();
  std::string last;
  for (auto at = all.configs.upper_bound(or_default(in.marker)); at != all.configs.end(); ++at) {
    if (out.provisioned_concurrency_configs->size() == limit) {
      out.next_marker = last;
      break;
    }
    last = at->first;
    auto item = describe_provisioned<model::ProvisionedConcurrencyConfigListItem>(at->second, provisioned_now(function.record, all, last));
    item.function_arn = function.record.arn() + ":" + last;
    out.provisioned_concurrency_configs->push_back(std::move(item));
  }
  co_return out;
}

awaitable<> LambdaService::one_at_a_time(std::string name, std::string failure, std::function<awaitable<>()> work) {
  {
    const std::lock_guard lock(at_work_mutex_);
    const auto [at, first] = at_work_.emplace(name, false);
    at->second = !first;
    if (!first) co_return;
  }
  for (bool again = true; again;) {
    try {
      co_await work();
    } catch (const std::exception& failed) {
      spdlog::error("{}: {}", failure, failed.what());
    }
    const std::lock_guard lock(at_work_mutex_);
    again = std::exchange(at_work_[name], false);
    if (!again) at_work_.erase(name);
  }
}

awaitable<> LambdaService::provision(FunctionRef ref) {
  co_await one_at_a_time(ref.arn(), fmt::format("function {}: its provisioned concurrency could not be applied", ref.name), [this, ref] { return provision_once(ref); });
  co_await count_set_aside(ref.scope);
}

awaitable<> LambdaService::provision_once(FunctionRef ref) {
  const std::optional<StoredFunction> function = co_await functions_.find(ref);
  if (!function) co_return;  // forget() has ended what it had
  const Provisioning all = co_await provisioning(function->record);
  const auto wanted = all.wanted();
  for (const std::string& number : invoker_.kept_versions(function->record.arn())) {
    if (!wanted.contains(number)) invoker_.release(function->record.arn() + ":" + number);
  }
  for (const auto& [number, count] : wanted) {
    std::optional<FunctionRecord> version = co_await functions_.published(function->record, number);
    if (!version) continue;
    version->tags = function->record.tags;
    co_await invoker_.keep(std::move(*version), count);
  }
  // It may have been deleted meanwhile, after which nobody else would end what was just begun.
  const std::optional<StoredFunction> still = co_await functions_.find(ref);
  if (!still || still->record.id != function->record.id) invoker_.forget({ref.scope, ref.name, {}});
}

awaitable<> LambdaService::restore_environments(aws::Scope scope) {
  std::set<std::string> runtimes;
  co_await functions_.each(scope, [&](const FunctionRecord& record) { runtimes.insert(record.runtime); });
  for (const std::string& runtime : runtimes) invoker_.boot_runtime(runtime);
  co_await count_set_aside(scope);
  co_await restore_provisioned(scope);
}

awaitable<> LambdaService::restore_provisioned(aws::Scope scope) {
  const std::string prefix = provisioned_prefix(scope.account, scope.region);
  for (std::string begin = prefix;;) {
    const storage::ScanPage page = co_await functions_.store().snapshot()->scan({.begin = begin, .end = storage::prefix_end(prefix)});
    for (const storage::Entry& entry : page.entries) {
      const FunctionRef ref{scope, storage::TupleReader(std::string_view(entry.key).substr(prefix.size())).string().value_or(""), {}};
      const std::optional<StoredFunction> function = co_await functions_.find(ref);
      if (function && !(co_await provisioning(function->record)).configs.empty()) {
        co_await provision(ref);
        continue;
      }
      storage::Commit stale;
      stale.check(entry.key, entry.version);
      stale.erase(entry.key);
      co_await functions_.commit(std::move(stale));
    }
    if (!page.more || page.entries.empty()) co_return;
    begin = page.entries.back().key + '\0';
  }
}

}  // namespace parvis::lambda
