#include "services/lambda/operations.h"

#include <fmt/format.h>

#include "services/lambda/configuration.h"
#include "services/lambda/keyspace.h"
#include "services/lambda/request.h"

namespace parvis::lambda {

awaitable<CodeRef> LambdaService::take_code(aws::CallContext call, CodeSource source) {
  if (source.zip && source.bucket) {
    throw error(kInvalidParameterValue, "Please do not provide other FunctionCode parameters when providing a ZipFile.");
  }
  std::string zip;
  if (source.zip) {
    zip = std::move(*source.zip);
  } else if (source.bucket && source.key) {
    if (*source.bucket == kLocalBucket && call.origin == "template") co_return co_await code_.local(*source.key);
    if (!options_.fetch_object) throw error(kInvalidParameterValue, "Code from S3 is not available on this platform yet; send a ZipFile.");
    std::optional<aws::ApiError> failed;
    try {
      zip = co_await options_.fetch_object(call, *source.bucket, *source.key, or_default(source.version));
    } catch (const aws::ApiError& s3) {
      failed = s3;
    }
    if (failed) {
      throw error(kInvalidParameterValue, fmt::format("Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
          failed->code(), failed->message()));
    }
  } else {
    throw error(kInvalidParameterValue, "Please provide a source for function code.");
  }
  if (source.dry_run) co_return co_await code_.check(std::move(zip));
  co_return co_await code_.put(call.scope, std::move(zip));
}

awaitable<model::CreateFunctionOutput> LambdaService::create_function(aws::CallContext call, model::CreateFunctionInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name));
  if (!ref.qualifier.empty()) throw error(kInvalidParameterValue, "A function is created without a qualifier.");
  refuse_unsupported(in);
  if (or_default(in.code).image_uri || or_default(in.package_type) == "Image") {
    throw error(kInvalidParameterValue, "Container images (PackageType Image) are not available on this platform; use a Zip package.");
  }
  FunctionRecord record;
  record.scope = call.scope;
  record.id = entropy_.uuid();
  record.name = ref.name;
  record.tags = or_default(in.tags);
  record.architecture = in.architectures && !in.architectures->empty() ? in.architectures->front() : "x86_64";
  apply_configuration(record, in);
  check_whole(record);
  check_tags(record.tags, call.origin == "template");
  const aws::ApiError exists = error(kResourceConflict, "Function already exist: " + ref.name);
  if (co_await functions_.find(ref)) throw exists;
  const model::FunctionCode code = or_default(std::move(in.code));
  refuse_code_options(code);
  storage::Commit with;
  record.layers = co_await use_layers(call, or_default(in.layers), with);
  record.code = co_await take_code(call, {code.zip_file, code.s3_bucket, code.s3_key, code.s3_object_version});
  co_await check_unpacked_size(record);
  record.revision_id = record.config_id = entropy_.uuid();
  record.last_modified = clock_.wall();
  CodeStore::hold(call.scope, record.code, with);
  std::optional<FunctionRecord> published;
  if (or_default(in.publish)) published = add_version(record, std::nullopt, with);
  if (!co_await functions_.write(record, std::nullopt, std::move(with))) {
    co_await code_.remove(call.scope, record.code);
    throw exists;
  }
  co_await invoker_.deployed(co_await functions_.get(ref));
  if (published) co_await invoker_.published(*published, record.tags);
  co_return describe(published.value_or(record), {});
}

awaitable<model::GetFunctionOutput> LambdaService::get_function(aws::CallContext call, model::GetFunctionInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  const auto [function, record, alias, alias_version] = co_await target(ref);
  model::GetFunctionOutput out;
  out.configuration = describe(record, ref.qualifier);
  out.code = model::FunctionCodeLocation{};
  out.code->repository_type = "S3";
  if (std::string location = location_of(ref.scope, record.code); !location.empty()) out.code->location = std::move(location);
  if (!function.record.tags.empty()) out.tags = function.record.tags;
  if (function.record.reserved_concurrency) {
    out.concurrency = model::Concurrency{};
    out.concurrency->reserved_concurrent_executions = function.record.reserved_concurrency;
  }
  co_return out;
}

awaitable<model::GetFunctionConfigurationOutput> LambdaService::get_function_configuration(aws::CallContext call,
                                                                                           model::GetFunctionConfigurationInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  co_return describe((co_await target(ref)).record, ref.qualifier);
}

// The marker is the name of the last function, with ":" and a number after a published version.
awaitable<model::ListFunctionsOutput> LambdaService::list_functions(aws::CallContext call, model::ListFunctionsInput in) {
  const std::size_t limit = page_size(in.max_items);
  const bool all = or_default(in.function_version) == "ALL";
  std::string after = or_default(in.marker), after_version;
  model::ListFunctionsOutput out;
  out.functions.emplace();
  if (const std::size_t colon = after.find(':'); colon != std::string::npos) {  // on with the versions of a function
    after_version = after.substr(colon + 1);
    after.resize(colon);
    if (auto owner = co_await functions_.find({call.scope, after, {}})) co_await add_versions(owner->record, after_version, limit, *out.functions);
  }
  bool more = all;  // with versions the last page may be empty
  while (out.functions->size() < limit) {
    const FunctionStore::Page page = co_await functions_.list(call.scope, after, all ? 1 : limit - out.functions->size());
    for (const FunctionRecord& record : page.records) {
      out.functions->push_back(describe_listed(record, all ? std::string(kLatest) : std::string()));
      if (all) co_await add_versions(record, {}, limit, *out.functions);
      after = record.name;
    }
    more = all || page.more;
    if (!page.more || page.records.empty()) break;
  }
  if (out.functions->size() < limit || !more) co_return out;
  const auto& last = out.functions->back();
  const std::string name = or_default(last.function_name), version = or_default(last.version);
  out.next_marker = all && version != kLatest ? name + ":" + version : all ? name + ":0" : name;
  co_return out;
}

awaitable<> LambdaService::add_versions(FunctionRecord owner, std::string after, std::size_t limit,
                                        std::vector<model::FunctionConfiguration>& out) {
  while (out.size() < limit) {
    const auto page = co_await functions_.parts(owner, kVersionPart, after, limit - out.size());
    for (const Part& part : page.parts) {
      if (const auto record = parse_record(part.bytes)) out.push_back(describe_listed(*record, record->version));
      after = part.qualifier;
    }
    if (!page.more || page.parts.empty()) co_return;
  }
}

awaitable<model::UpdateFunctionCodeOutput> LambdaService::update_function_code(aws::CallContext call, model::UpdateFunctionCodeInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  refuse_code_options(in);
  if (in.architectures && !in.architectures->empty()) check_architecture(in.architectures->front());
  StoredFunction before = co_await functions_.get(ref);
  check_revision(before.record.revision_id, in.revision_id);
  const bool dry_run = or_default(in.dry_run);
  const CodeRef code = co_await take_code(call, {in.zip_file, in.s3_bucket, in.s3_key, in.s3_object_version, dry_run});
  FunctionRecord wanted = before.record;
  wanted.code = code;
  co_await check_unpacked_size(wanted);
  std::optional<FunctionRecord> published;
  const auto change = [&](FunctionRecord& record, storage::Commit& with) {
    record.code = code;
    if (in.architectures && !in.architectures->empty()) record.architecture = in.architectures->front();
    if (or_default(in.publish) && !dry_run) published = add_version(record, std::nullopt, with);
  };
  if (dry_run) {
    storage::Commit nothing;
    change(before.record, nothing);
    co_return describe(before.record, {});
  }
  const Changed changed = co_await modify(ref, in.revision_id, true, change);
  co_await invoker_.deployed(changed.now);
  if (changed.loose) co_await code_.remove(call.scope, *changed.loose);
  if (!published) co_return describe(changed.now.record, {});
  co_await invoker_.published(*published, changed.now.record.tags);
  co_return describe(*published, published->version);
}

awaitable<model::UpdateFunctionConfigurationOutput> LambdaService::update_function_configuration(
    aws::CallContext call, model::UpdateFunctionConfigurationInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  refuse_unsupported(in);
  storage::Commit layers_are_there;
  std::vector<LayerUse> layers;
  if (in.layers) {
    layers = co_await use_layers(call, *in.layers, layers_are_there);
    FunctionRecord wanted = (co_await functions_.get(ref)).record;
    wanted.layers = layers;
    co_await check_unpacked_size(wanted);
  }
  const Changed changed = co_await modify(ref, in.revision_id, true, [&](FunctionRecord& record, storage::Commit& with) {
    apply_configuration(record, in);
    if (in.layers) record.layers = layers;
    with.checks.insert(with.checks.end(), layers_are_there.checks.begin(), layers_are_there.checks.end());
    check_whole(record);
  });
  co_await invoker_.deployed(changed.now);
  co_return describe(changed.now.record, {});
}

awaitable<model::DeleteFunctionOutput> LambdaService::delete_function(aws::CallContext call, model::DeleteFunctionInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  if (ref.qualifier == kLatest) {
    throw error(kInvalidParameterValue, "$LATEST version cannot be deleted without deleting the function.");
  }
  model::DeleteFunctionOutput out;
  out.status_code = 204;
  if (!ref.qualifier.empty()) {
    co_await delete_version(ref);
    co_return out;
  }
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const StoredFunction function = co_await functions_.get(ref);
    storage::Commit with;
    CodeStore::let_go(call.scope, function.record.code, with);
    with.put(gone_key(call.scope.account, call.scope.region, function.record.id), "");
    if (!co_await functions_.erase(ref, function.version, std::move(with))) continue;
    invoker_.forget(ref);
    co_await code_.remove(call.scope, function.record.code);
    co_await purge(call.scope, function.record.id);
    co_await count_set_aside(call.scope);
    co_return out;
  }
  throw update_in_progress(ref);
}

}  // namespace parvis::lambda
