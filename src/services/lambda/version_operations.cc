#include <set>

#include <fmt/format.h>

#include "core/hash.h"
#include "services/lambda/configuration.h"
#include "services/lambda/keyspace.h"
#include "services/lambda/operations.h"
#include "services/lambda/request.h"

namespace parvis::lambda {

FunctionRecord LambdaService::add_version(FunctionRecord& latest, const std::optional<std::string>& description,
                                          storage::Commit& commit) {
  FunctionRecord version = latest;
  version.version = std::to_string(latest.next_version);
  version.revision_id = entropy_.uuid();
  version.last_modified = clock_.wall();
  version.tags.clear();  // they are the function's
  version.reserved_concurrency.reset();
  version.next_version = 0;
  version.published_config.clear();
  if (description) version.description = *description;
  latest.published_config = config_digest(latest);
  ++latest.next_version;
  commit.put(FunctionStore::key_of(latest, {kVersionPart, version.version}), to_json(version));
  return version;
}

// What changes the versions of a function writes its record too, so this holds as long as that is not another one.
awaitable<bool> LambdaService::used_by_versions(FunctionRecord owner, std::string code_id) {
  if (code_id.empty()) co_return false;
  for (std::string after;;) {
    const auto page = co_await functions_.parts(owner, kVersionPart, after);
    for (const Part& part : page.parts) {
      const std::optional<FunctionRecord> version = parse_record(part.bytes);
      if (!version || version->code.id == code_id) co_return true;
    }
    if (!page.more || page.parts.empty()) co_return false;
    after = page.parts.back().qualifier;
  }
}

awaitable<model::PublishVersionOutput> LambdaService::publish_version(aws::CallContext call, model::PublishVersionInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  if (in.publish_to) throw error(kInvalidParameterValue, "PublishTo is not available on this platform yet.");
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    StoredFunction function = co_await functions_.get(ref);
    check_revision(function.record.revision_id, in.revision_id);
    if (const std::string sha = base64_encode(function.record.code.sha256); !or_default(in.code_sha256).empty() && *in.code_sha256 != sha) {
      throw error(kInvalidParameterValue, fmt::format("CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({}). Please try "
          "again with the CodeSHA256 in $LATEST.", *in.code_sha256, sha));
    }
    // Nothing new: the last version is the answer.
    if (function.record.published_config == config_digest(function.record)) {
      const std::string last = std::to_string(function.record.next_version - 1);
      if (const auto version = co_await functions_.published(function.record, last)) co_return describe(*version, last);
    }
    storage::Commit with;
    const FunctionRecord version = add_version(function.record, in.description, with);
    if (!co_await functions_.write(function.record, function.version, std::move(with))) continue;
    co_await invoker_.published(version, function.record.tags);
    co_return describe(version, version.version);
  }
  throw update_in_progress(ref);
}

awaitable<model::ListVersionsByFunctionOutput> LambdaService::list_versions(aws::CallContext call, model::ListVersionsByFunctionInput in) {
  const StoredFunction function = co_await functions_.get(latest_ref(call.scope, or_default(in.function_name)));
  const std::size_t limit = page_size(in.max_items);
  std::string after = or_default(in.marker);
  if (!after.empty() && !is_version(after)) throw error(kInvalidParameterValue, "The provided Marker is not valid.");
  model::ListVersionsByFunctionOutput out;
  out.versions.emplace();
  if (after.empty()) out.versions->push_back(describe_listed(function.record, std::string(kLatest)));
  if (after == "0") after.clear();  // behind $LATEST
  co_await add_versions(function.record, after, limit, *out.versions);
  if (out.versions->size() < limit) co_return out;
  const std::string last = or_default(out.versions->back().version);
  const auto rest = co_await functions_.parts(function.record, kVersionPart, last == kLatest ? std::string() : last, 1);
  if (!rest.parts.empty()) out.next_marker = last == kLatest ? "0" : last;
  co_return out;
}

awaitable<> LambdaService::delete_version(FunctionRef ref) {
  if (!is_version(ref.qualifier)) {
    throw error(kInvalidParameterValue, "Deletion of aliases is not currently supported.");
  }
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    StoredFunction function = co_await functions_.get(ref);
    const std::optional<FunctionRecord> version = co_await functions_.published(function.record, ref.qualifier);
    if (!version) throw not_found(ref);
    const auto snapshot = functions_.store().snapshot();
    const std::string aliases = part_prefix(ref.scope.account, ref.scope.region, function.record.id, kAliasPart);
    storage::Commit with;
    with.guards.push_back({aliases, storage::prefix_end(aliases), snapshot->stamp()});
    const auto page = co_await functions_.parts(function.record, kAliasPart);
    for (const Part& part : page.parts) {
      const std::optional<Alias> alias = parse_alias(part.bytes);
      if (alias && alias->version != ref.qualifier && !alias->weights.contains(ref.qualifier)) continue;
      throw error(kResourceConflict, fmt::format("Version {} is in use by the alias {} and cannot be deleted.", ref.qualifier, part.qualifier));
    }
    // The record of the function is written too, so that nobody counts on this version's package at the same time.
    const FunctionRecord& latest = function.record;
    bool shared = latest.code.id == version->code.id;
    with.erase(FunctionStore::key_of(latest, {kVersionPart, ref.qualifier}));
    co_await erase_parts(latest, ref.qualifier, with);
    if (!shared) {
      const auto others = co_await functions_.parts(latest, kVersionPart);
      for (const Part& part : others.parts) {
        const auto other = parse_record(part.bytes);
        shared = shared || !other || (other->version != ref.qualifier && other->code.id == version->code.id);
      }
      shared = shared || others.more;  // too many to look at: the package stays until the function goes
    }
    if (!shared) CodeStore::let_go(ref.scope, version->code, with);
    if (!co_await functions_.write(latest, function.version, std::move(with))) continue;
    invoker_.forget(ref);
    if (!shared) co_await code_.remove(ref.scope, version->code);
    co_return;
  }
  throw update_in_progress(ref);
}

awaitable<> LambdaService::erase_parts(FunctionRecord owner, std::string qualifier, storage::Commit& commit) {
  for (const std::string_view kind : kQualifiedParts) commit.erase(FunctionStore::key_of(owner, {kind, qualifier}));
  if (const auto url = co_await functions_.part(owner, {kUrlPart, qualifier})) commit.erase(url_key(owner.scope.account, owner.scope.region, url->bytes));
}

awaitable<> LambdaService::purge(aws::Scope scope, std::string function_id) {
  const std::string prefix = parts_prefix(scope.account, scope.region, function_id);
  for (bool more = true; more;) {
    const storage::ScanPage page = co_await functions_.store().snapshot()->scan({.begin = prefix, .end = storage::prefix_end(prefix)});
    storage::Commit commit;
    std::set<std::string> packages;
    for (const storage::Entry& entry : page.entries) {
      commit.erase(entry.key);
      const std::string kind = storage::TupleReader(std::string_view(entry.key).substr(prefix.size())).string().value_or("");
      if (kind == kUrlPart) commit.erase(url_key(scope.account, scope.region, entry.value));
      const std::optional<FunctionRecord> version = parse_record(entry.value);  // nullopt for parts of other kinds
      if (!version) continue;
      CodeStore::let_go(scope, version->code, commit);
      packages.insert(version->code.id);
    }
    more = page.more;
    if (!more) commit.erase(gone_key(scope.account, scope.region, function_id));
    co_await commit_plain(functions_.store(), std::move(commit));
    for (const std::string& id : packages) {
      CodeRef code;
      code.id = id;
      co_await code_.remove(scope, code);
    }
  }
}

}  // namespace parvis::lambda
