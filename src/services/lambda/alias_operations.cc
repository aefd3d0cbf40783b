#include <fmt/format.h>

#include "services/lambda/operations.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

// A commit with the alias holds only while its versions are there.
constexpr std::string_view kMissing = "Function not found: ";

}  // namespace

awaitable<> LambdaService::check_alias_versions(FunctionRecord owner, Alias alias, storage::Commit& commit) {
  std::vector<std::string> numbers{alias.version};
  for (const auto& [version, weight] : alias.weights) numbers.push_back(version);
  for (const std::string& number : numbers) {
    if (number == kLatest) continue;
    const PartId id{kVersionPart, number};
    const std::optional<Part> part = number.size() <= 10 && is_version(number) ? co_await functions_.part(owner, id) : std::nullopt;
    if (!part) throw error(kResourceNotFound, fmt::format("{}{}:{}", kMissing, owner.arn(), number));
    commit.check(FunctionStore::key_of(owner, id), part->version);
  }
}

awaitable<model::CreateAliasOutput> LambdaService::create_alias(aws::CallContext call, model::CreateAliasInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  Alias alias{or_default(in.name), or_default(in.function_version), or_default(in.description), entropy_.uuid(), {}};
  check_alias_name(alias.name);
  if (in.routing_config) alias.weights = or_default(in.routing_config->additional_version_weights);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const StoredFunction function = co_await functions_.get(ref);
    storage::Commit with;
    co_await check_alias_versions(function.record, alias, with);
    check_weights(alias);
    const PartId id{kAliasPart, alias.name};
    if (co_await functions_.part(function.record, id)) {
      throw error(kResourceConflict, fmt::format("Alias already exists: {}:{}", function.record.arn(), alias.name));
    }
    if (co_await functions_.write_part(function, id, to_json(alias), std::nullopt, std::move(with))) co_return describe_alias(function.record, alias);
  }
  throw update_in_progress(ref);
}

awaitable<model::GetAliasOutput> LambdaService::get_alias(aws::CallContext call, model::GetAliasInput in) {
  FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  ref.qualifier = or_default(in.name);
  check_alias_name(ref.qualifier);
  const Target found = co_await target(ref);
  co_return describe_alias(found.function.record, *found.alias);
}

awaitable<model::UpdateAliasOutput> LambdaService::update_alias(aws::CallContext call, model::UpdateAliasInput in) {
  FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  ref.qualifier = or_default(in.name);
  check_alias_name(ref.qualifier);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const storage::Stamp as_of = functions_.store().snapshot()->stamp();
    const Target found = co_await target(ref);
    Alias alias = *found.alias;
    check_revision(alias.revision_id, in.revision_id);
    if (in.function_version) alias.version = *in.function_version;
    if (in.description) alias.description = *in.description;
    if (in.routing_config) alias.weights = or_default(in.routing_config->additional_version_weights);
    alias.revision_id = entropy_.uuid();
    storage::Commit with;
    co_await check_alias_versions(found.function.record, alias, with);
    check_weights(alias);
    const bool provisioned = co_await functions_.part(found.function.record, {kProvisionedPart, alias.name}) != std::nullopt;
    if (provisioned) (co_await provisioning(found.function.record)).check_alias(alias, false);
    guard_parts(found.function.record, kProvisionedPart, as_of, with);
    if (co_await functions_.write_part(found.function, {kAliasPart, alias.name}, to_json(alias), found.alias_version, std::move(with))) {
      if (provisioned) co_await provision(ref);
      co_return describe_alias(found.function.record, alias);
    }
  }
  throw update_in_progress(ref);
}

awaitable<model::DeleteAliasOutput> LambdaService::delete_alias(aws::CallContext call, model::DeleteAliasInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  const std::string name = or_default(in.name);
  check_alias_name(name);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const StoredFunction function = co_await functions_.get(ref);
    const PartId id{kAliasPart, name};
    const std::optional<Part> part = co_await functions_.part(function.record, id);
    if (!part) co_return model::DeleteAliasOutput{};  // as on AWS, one that is not there is deleted
    storage::Commit with;
    co_await erase_parts(function.record, name, with);
    if (!co_await functions_.erase_part(function, id, part->version, std::move(with))) continue;
    co_await provision(ref);
    co_return model::DeleteAliasOutput{};
  }
  throw update_in_progress(ref);
}

awaitable<model::ListAliasesOutput> LambdaService::list_aliases(aws::CallContext call, model::ListAliasesInput in) {
  const StoredFunction function = co_await functions_.get(latest_ref(call.scope, or_default(in.function_name)));
  const std::size_t limit = page_size(in.max_items);
  model::ListAliasesOutput out;
  out.aliases.emplace();
  for (std::string after = or_default(in.marker);;) {
    const auto page = co_await functions_.parts(function.record, kAliasPart, after, 50);
    for (const Part& part : page.parts) {
      if (out.aliases->size() == limit) {
        out.next_marker = after;
        co_return out;
      }
      const std::optional<Alias> alias = parse_alias(part.bytes);
      const bool wanted = alias && (!in.function_version || alias->version == *in.function_version || alias->weights.contains(*in.function_version));
      if (wanted) out.aliases->push_back(describe_alias(function.record, *alias));
      after = part.qualifier;
    }
    if (!page.more || page.parts.empty()) co_return out;
  }
}

}  // namespace parvis::lambda
