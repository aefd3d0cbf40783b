#include "services/lambda/operations.h"

#include <fmt/format.h>
#include "services/lambda/configuration.h"
#include "services/lambda/keyspace.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

FunctionRef tagged_ref(const aws::Scope& caller, const std::optional<std::string>& resource) {
  const FunctionRef ref = parse_function_ref(caller, or_default(resource));
  if (!ref.qualifier.empty()) throw error(kInvalidParameterValue, "Tags on function aliases and versions are not supported. Please specify a function ARN.");
  return ref;
}

}  // namespace

awaitable<model::ListTagsOutput> LambdaService::list_tags(aws::CallContext call, model::ListTagsInput in) {
  const StoredFunction function = co_await functions_.get(tagged_ref(call.scope, in.resource));
  model::ListTagsOutput out;
  out.tags = function.record.tags;
  co_return out;
}

awaitable<model::TagResourceOutput> LambdaService::tag_resource(aws::CallContext call, model::TagResourceInput in) {
  const bool from_template = call.origin == "template";
  check_tags(or_default(in.tags), from_template);
  co_await modify(tagged_ref(call.scope, in.resource), std::nullopt, false, [&](FunctionRecord& record, storage::Commit&) {
    for (const auto& [key, value] : or_default(in.tags)) record.tags[key] = value;
    check_tags(record.tags, true);
  });
  co_return model::TagResourceOutput{};
}

awaitable<model::UntagResourceOutput> LambdaService::untag_resource(aws::CallContext call, model::UntagResourceInput in) {
  co_await modify(tagged_ref(call.scope, in.resource), std::nullopt, false, [&](FunctionRecord& record, storage::Commit&) {
    for (const std::string& key : or_default(in.tag_keys)) record.tags.erase(key);
  });
  co_return model::UntagResourceOutput{};
}

awaitable<model::PutFunctionConcurrencyOutput> LambdaService::put_concurrency(aws::CallContext call, model::PutFunctionConcurrencyInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  const int limit = or_default(in.reserved_concurrent_executions);
  const StoredFunction before = co_await functions_.get(ref);
  const int provisioned = (co_await provisioning(before.record)).total();
  const int others = (co_await set_aside(call.scope)) - before.record.reserved_concurrency.value_or(provisioned);
  if (limit < 0 || others + limit > kAccountConcurrency - kUnreservedMin) {
    throw error(kInvalidParameterValue, "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].");
  }
  if (limit < provisioned) {
    throw error(kInvalidParameterValue, fmt::format(" ReservedConcurrentExecutions  {} should not be lower than function's total provisioned concurrency [{}].", limit, provisioned));
  }
  co_await modify(ref, std::nullopt, false, [&](FunctionRecord& record, storage::Commit&) { record.reserved_concurrency = limit; });
  co_await count_set_aside(call.scope);
  model::PutFunctionConcurrencyOutput out;
  out.reserved_concurrent_executions = limit;
  co_return out;
}

awaitable<model::GetFunctionConcurrencyOutput> LambdaService::get_concurrency(aws::CallContext call, model::GetFunctionConcurrencyInput in) {
  model::GetFunctionConcurrencyOutput out;
  out.reserved_concurrent_executions =
      (co_await functions_.get(latest_ref(call.scope, or_default(in.function_name)))).record.reserved_concurrency;
  co_return out;
}

awaitable<model::DeleteFunctionConcurrencyOutput> LambdaService::delete_concurrency(aws::CallContext call,
                                                                                    model::DeleteFunctionConcurrencyInput in) {
  co_await modify(latest_ref(call.scope, or_default(in.function_name)), std::nullopt, false,
                  [&](FunctionRecord& record, storage::Commit&) { record.reserved_concurrency.reset(); });
  co_await count_set_aside(call.scope);
  co_return model::DeleteFunctionConcurrencyOutput{};
}

awaitable<LambdaService::Usage> LambdaService::usage(aws::Scope scope) {
  Usage out;
  for (std::string after;;) {
    const FunctionStore::Page page = co_await functions_.list(scope, after, 200);
    for (const FunctionRecord& record : page.records) {
      ++out.functions;
      out.code_bytes += record.code.size_bytes;
      const auto versions = co_await functions_.parts(record, kVersionPart);
      for (const Part& part : versions.parts) {
        const auto version = parse_record(part.bytes);
        if (version && version->code.id != record.code.id) out.code_bytes += version->code.size_bytes;
      }
    }
    if (!page.more || page.records.empty()) co_return out;
    after = page.records.back().name;
  }
}

awaitable<int> LambdaService::set_aside(aws::Scope scope) {
  int out = 0;
  co_await functions_.each(scope, [&](const FunctionRecord& record) { out += record.reserved_concurrency.value_or(0); });
  const std::string prefix = provisioned_prefix(scope.account, scope.region);
  for (std::string begin = prefix;;) {
    const storage::ScanPage marked = co_await functions_.store().snapshot()->scan({.begin = begin, .end = storage::prefix_end(prefix)});
    for (const storage::Entry& entry : marked.entries) {
      const auto name = storage::TupleReader(std::string_view(entry.key).substr(prefix.size())).string();
      const auto function = name ? co_await functions_.find({scope, std::string(*name), {}}) : std::nullopt;
      if (function && !function->record.reserved_concurrency) out += (co_await provisioning(function->record)).total();
    }
    if (!marked.more || marked.entries.empty()) co_return out;
    begin = marked.entries.back().key + '\0';
  }
}

awaitable<> LambdaService::count_set_aside(aws::Scope scope) {
  const std::string name = scope.account + "/" + scope.region;
  co_await one_at_a_time(name, fmt::format("the concurrency that functions of {} share could not be counted", name),
                         [this, scope]() -> awaitable<> { invoker_.set_aside(scope, co_await set_aside(scope)); });
}

awaitable<model::GetAccountSettingsOutput> LambdaService::get_account_settings(aws::CallContext call, model::GetAccountSettingsInput) {
  const Usage used = co_await usage(call.scope);
  model::GetAccountSettingsOutput out;
  out.account_limit = model::AccountLimit{};
  out.account_limit->total_code_size = std::int64_t{75} << 30;
  out.account_limit->code_size_unzipped = 262'144'000;
  out.account_limit->code_size_zipped = 50 << 20;
  out.account_limit->concurrent_executions = kAccountConcurrency;
  out.account_limit->unreserved_concurrent_executions = std::max(0, kAccountConcurrency - co_await set_aside(call.scope));
  out.account_usage = model::AccountUsage{};
  out.account_usage->total_code_size = static_cast<std::int64_t>(used.code_bytes);
  out.account_usage->function_count = used.functions;
  co_return out;
}

awaitable<model::PutFunctionRecursionConfigOutput> LambdaService::put_recursion(aws::CallContext call, model::PutFunctionRecursionConfigInput in) {
  const std::string loop = or_default(in.recursive_loop);
  co_await modify(latest_ref(call.scope, or_default(in.function_name)), std::nullopt, false,
                  [&](FunctionRecord& record, storage::Commit&) { record.recursive_loop = loop; });
  model::PutFunctionRecursionConfigOutput out;
  out.recursive_loop = loop;
  co_return out;
}

awaitable<model::GetFunctionRecursionConfigOutput> LambdaService::get_recursion(aws::CallContext call, model::GetFunctionRecursionConfigInput in) {
  model::GetFunctionRecursionConfigOutput out;
  out.recursive_loop = (co_await functions_.get(latest_ref(call.scope, or_default(in.function_name)))).record.recursive_loop;
  co_return out;
}

// Kept and readable: there is one version of each runtime on this machine, which Manual may name.
awaitable<model::PutRuntimeManagementConfigOutput> LambdaService::put_runtime_management(aws::CallContext call,
                                                                                         model::PutRuntimeManagementConfigInput in) {
  FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  const std::string mode = or_default(in.update_runtime_on);
  const std::string version = or_default(in.runtime_version_arn);
  if (mode == "Manual" && version.empty()) throw error(kInvalidParameterValue, "RuntimeVersionArn is required when UpdateRuntimeOn is Manual.");
  if (mode != "Manual" && !version.empty()) throw error(kInvalidParameterValue, "RuntimeVersionArn can only be specified when UpdateRuntimeOn is Manual.");
  if (ref.qualifier.empty()) ref.qualifier = kLatest;
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const Target found = co_await target(ref);
    if (found.alias) throw error(kInvalidParameterValue, "Runtime management is configured for $LATEST or a version, not for an alias.");
    if (!version.empty() && version != runtime_version_arn(found.record)) {
      throw error(kInvalidParameterValue, fmt::format("The runtime version {} is not available on this platform: {} is the one of {}.", version, runtime_version_arn(found.record), found.record.runtime));
    }
    const PartId id{kRuntimePart, ref.qualifier};
    const std::optional<Part> part = co_await functions_.part(found.function.record, id);
    const std::optional<storage::Version> expected = part ? std::optional(part->version) : std::nullopt;
    if (!co_await functions_.write_part(found.function, id, mode, expected)) continue;
    model::PutRuntimeManagementConfigOutput out;
    out.update_runtime_on = mode;
    if (!version.empty()) out.runtime_version_arn = version;
    out.function_arn = ref.qualified_arn();
    co_return out;
  }
  throw update_in_progress(ref);
}

awaitable<model::GetRuntimeManagementConfigOutput> LambdaService::get_runtime_management(aws::CallContext call,
                                                                                         model::GetRuntimeManagementConfigInput in) {
  FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  if (ref.qualifier.empty()) ref.qualifier = kLatest;
  const Target found = co_await target(ref);
  const std::optional<Part> part = co_await functions_.part(found.function.record, {kRuntimePart, ref.qualifier});
  model::GetRuntimeManagementConfigOutput out;
  out.update_runtime_on = part ? part->bytes : "Auto";
  if (*out.update_runtime_on == "Manual") out.runtime_version_arn = runtime_version_arn(found.record);
  out.function_arn = ref.qualified_arn();
  co_return out;
}

}  // namespace parvis::lambda
