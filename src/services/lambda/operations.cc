#include "services/lambda/operations.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "services/lambda/configuration.h"
#include "services/lambda/errors.h"

namespace parvis::lambda {
namespace {

constexpr int kModifyAttemptsMax = 10;
constexpr std::size_t kListDefault = 50;

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

void check_revision(const FunctionRecord& record, const std::optional<std::string>& revision_id) {
  if (revision_id && *revision_id != record.revision_id) {
    throw error(kPreconditionFailed, "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias "
        "API to retrieve the latest Revision Id");
  }
}

aws::ApiError update_in_progress(const FunctionRef& ref) {
  return error(kResourceConflict, "The operation cannot be performed at this time. An update is in progress for resource: " + ref.arn());
}

std::string decode_client_context(const std::optional<std::string>& header) {
  if (!header || header->empty()) return {};
  const std::optional<std::string> json = header->size() <= 3583 ? base64_decode(*header) : std::nullopt;
  boost::json::error_code failed;
  if (!json || !boost::json::parse(*json, failed).is_object() || failed) {
    throw error(kInvalidRequestContent, "Client context must be a valid Base64-encoded JSON object.");
  }
  return *json;
}

}  // namespace

LambdaService::LambdaService(asio::any_io_executor background, storage::Store& store, Runner& runner, const Clock& clock,
                             Entropy& entropy, ServiceOptions options)
    : clock_(clock), entropy_(entropy), options_(std::move(options)), functions_(store), code_(store, entropy, clock, options_.code),
      invoker_(functions_, code_, runner, clock, entropy, options_.invoke),
      events_(std::move(background), store, invoker_, clock, entropy, options_.events) {}

void LambdaService::bind(aws::Registry& registry) {
  const auto bind = [&]<class Op>(Op, auto method) {
    registry.bind<Op>([this, method](aws::CallContext call, typename Op::Input in) {
      return (this->*method)(std::move(call), std::move(in));
    });
  };
  bind(model::CreateFunction{}, &LambdaService::create_function);
  bind(model::GetFunction{}, &LambdaService::get_function);
  bind(model::GetFunctionConfiguration{}, &LambdaService::get_function_configuration);
  bind(model::ListFunctions{}, &LambdaService::list_functions);
  bind(model::UpdateFunctionCode{}, &LambdaService::update_function_code);
  bind(model::UpdateFunctionConfiguration{}, &LambdaService::update_function_configuration);
  bind(model::DeleteFunction{}, &LambdaService::delete_function);
  bind(model::Invoke{}, &LambdaService::invoke);
  bind(model::AddPermission{}, &LambdaService::add_permission);
  bind(model::RemovePermission{}, &LambdaService::remove_permission);
  bind(model::GetPolicy{}, &LambdaService::get_policy);
  bind(model::ListTags{}, &LambdaService::list_tags);
  bind(model::TagResource{}, &LambdaService::tag_resource);
  bind(model::UntagResource{}, &LambdaService::untag_resource);
  bind(model::PutFunctionConcurrency{}, &LambdaService::put_concurrency);
  bind(model::GetFunctionConcurrency{}, &LambdaService::get_concurrency);
  bind(model::DeleteFunctionConcurrency{}, &LambdaService::delete_concurrency);
  bind(model::GetAccountSettings{}, &LambdaService::get_account_settings);
}

awaitable<> LambdaService::start() {
  for (const aws::Scope& scope : co_await stored_scopes(functions_.store())) co_await code_.collect(scope);
  co_await events_.start();
}

awaitable<StoredFunction> LambdaService::modify(FunctionRef ref, std::optional<std::string> revision_id, bool new_revision,
                                                Change change) {
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    StoredFunction function = co_await functions_.get(ref);
    check_revision(function.record, revision_id);
    const CodeRef code = function.record.code;
    change(function.record);
    storage::Commit with;
    if (function.record.code.id != code.id) {
      CodeStore::hold(ref.scope, function.record.code, with);
      CodeStore::let_go(ref.scope, code, with);
    }
    if (new_revision) {
      function.record.revision_id = entropy_.uuid();
      function.record.config_id = function.record.revision_id;
      function.record.last_modified = clock_.wall();
    }
    // The version of what was written is read back: invocations look it up by it.
    if (co_await functions_.write(function.record, function.version, std::move(with))) co_return co_await functions_.get(ref);
  }
  throw update_in_progress(ref);
}

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
  record.code = co_await take_code(call, {code.zip_file, code.s3_bucket, code.s3_key, code.s3_object_version});
  record.revision_id = record.config_id = entropy_.uuid();
  record.last_modified = clock_.wall();
  storage::Commit with;
  CodeStore::hold(call.scope, record.code, with);
  if (!co_await functions_.write(record, std::nullopt, std::move(with))) {
    co_await code_.remove(call.scope, record.code);
    throw exists;
  }
  co_await invoker_.deployed(co_await functions_.get(ref));
  co_return describe(record, {});
}

awaitable<model::GetFunctionOutput> LambdaService::get_function(aws::CallContext call, model::GetFunctionInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  const StoredFunction function = co_await functions_.get(ref);
  model::GetFunctionOutput out;
  out.configuration = describe(function.record, ref.qualifier);
  // Differs from AWS: there is no presigned Location to download the package from.
  out.code = model::FunctionCodeLocation{};
  out.code->repository_type = "S3";
  if (!function.record.tags.empty()) out.tags = function.record.tags;
  if (function.record.reserved_concurrency) {
    out.concurrency = model::Concurrency{};
    out.concurrency->reserved_concurrent_executions = function.record.reserved_concurrency;
  }
  co_return out;
}

awaitable<model::GetFunctionConfigurationOutput> LambdaService::get_function_configuration(aws::CallContext call,
                                                                                           model::GetFunctionConfigurationInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  co_return describe((co_await functions_.get(ref)).record, ref.qualifier);
}

awaitable<model::ListFunctionsOutput> LambdaService::list_functions(aws::CallContext call, model::ListFunctionsInput in) {
  const std::size_t limit = static_cast<std::size_t>(or_default(in.max_items, static_cast<int>(kListDefault)));
  FunctionStore::Page page = co_await functions_.list(call.scope, or_default(in.marker), std::clamp<std::size_t>(limit, 1, 50));
  model::ListFunctionsOutput out;
  out.functions.emplace();
  for (const FunctionRecord& record : page.records) {
    out.functions->push_back(describe(record, in.function_version ? std::string(kLatest) : std::string()));
  }
  if (page.more && !page.records.empty()) out.next_marker = page.records.back().name;
  co_return out;
}

awaitable<model::UpdateFunctionCodeOutput> LambdaService::update_function_code(aws::CallContext call, model::UpdateFunctionCodeInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  refuse_code_options(in);
  if (or_default(in.publish) || in.publish_to) throw error(kInvalidParameterValue, std::string(kNoVersions));
  if (in.architectures && !in.architectures->empty()) check_architecture(in.architectures->front());
  StoredFunction before = co_await functions_.get(ref);
  check_revision(before.record, in.revision_id);
  const bool dry_run = or_default(in.dry_run);
  const CodeRef code = co_await take_code(call, {in.zip_file, in.s3_bucket, in.s3_key, in.s3_object_version, dry_run});
  CodeRef old;
  const auto change = [&](FunctionRecord& record) {
    old = std::exchange(record.code, code);
    if (in.architectures && !in.architectures->empty()) record.architecture = in.architectures->front();
  };
  if (dry_run) {
    change(before.record);
    co_return describe(before.record, {});
  }
  const StoredFunction now = co_await modify(ref, in.revision_id, true, change);
  co_await invoker_.deployed(now);
  co_await code_.remove(call.scope, old);
  co_return describe(now.record, {});
}

awaitable<model::UpdateFunctionConfigurationOutput> LambdaService::update_function_configuration(
    aws::CallContext call, model::UpdateFunctionConfigurationInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  refuse_unsupported(in);
  const StoredFunction now = co_await modify(ref, in.revision_id, true, [&](FunctionRecord& record) {
    apply_configuration(record, in);
    check_whole(record);
  });
  co_await invoker_.deployed(now);
  co_return describe(now.record, {});
}

awaitable<model::DeleteFunctionOutput> LambdaService::delete_function(aws::CallContext call, model::DeleteFunctionInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  if (ref.qualifier == kLatest) {
    throw error(kInvalidParameterValue, "$LATEST version cannot be deleted without deleting the function.");
  }
  if (!ref.qualifier.empty()) throw not_found(ref);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const StoredFunction function = co_await functions_.get(ref);
    storage::Commit with;
    CodeStore::let_go(call.scope, function.record.code, with);
    if (!co_await functions_.erase(ref, function.version, std::move(with))) continue;
    invoker_.forget(ref);
    co_await code_.remove(call.scope, function.record.code);
    model::DeleteFunctionOutput out;
    out.status_code = 204;
    co_return out;
  }
  throw update_in_progress(ref);
}

awaitable<model::InvokeOutput> LambdaService::invoke(aws::CallContext call, model::InvokeInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  if (in.durable_execution_name || in.tenant_id) {
    throw error(kInvalidParameterValue, "Durable executions and tenant isolation are not available on this platform.");
  }
  const std::string type = or_default<std::string>(in.invocation_type, "RequestResponse");
  model::InvokeOutput out;
  functions::Invocation invocation{call.request_id, or_default(std::move(in.payload)), call.trace.header(), ref.qualified_arn(),
                                   decode_client_context(in.client_context)};
  if (type == "DryRun") {
    co_await functions_.get(ref);
    out.status_code = 204;
    co_return out;
  }
  check_payload(invocation.payload, type == "Event");
  if (type == "Event") {
    co_await functions_.get(ref);
    co_await events_.submit(ref, std::move(invocation));
    out.status_code = 202;
    co_return out;
  }
  if (type != "RequestResponse") {
    throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'invocationType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [Event, RequestResponse, DryRun]", type));
  }
  CallResult done = co_await invoker_.run(ref, std::move(invocation));
  out.status_code = 200;
  out.executed_version = std::string(kLatest);
  if (done.function_error) out.function_error = "Unhandled";
  if (or_default(in.log_type) == "Tail") out.log_result = log_tail_base64(done.result.log);
  out.payload = std::move(done.result.payload);
  co_return out;
}

awaitable<functions::InvocationResult> LambdaService::invoke_arn(aws::CallContext call, std::string arn, std::string payload) {
  const FunctionRef ref = latest_ref(call.scope, arn);
  if (payload.size() > kPayloadBytesMax) check_payload(payload, false);
  CallResult done = co_await invoker_.run(ref, {call.request_id, std::move(payload), call.trace.header(), ref.qualified_arn(), {}});
  co_return std::move(done.result);
}

awaitable<model::AddPermissionOutput> LambdaService::add_permission(aws::CallContext call, model::AddPermissionInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  Statement statement = make_statement(ref, in);
  model::AddPermissionOutput out;
  out.statement = boost::json::serialize(statement.body);
  co_await modify(ref, std::nullopt, false, [&](FunctionRecord& record) {
    check_policy_revision(record, in.revision_id);
    add_statement(record, statement);
    record.policy_revision_id = entropy_.uuid();
  });
  co_return out;
}

awaitable<model::RemovePermissionOutput> LambdaService::remove_permission(aws::CallContext call, model::RemovePermissionInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  co_await modify(ref, std::nullopt, false, [&](FunctionRecord& record) {
    check_policy_revision(record, in.revision_id);
    if (std::erase_if(record.statements, [&](const Statement& s) { return s.id == *in.statement_id; }) == 0) {
      throw error(kResourceNotFound, fmt::format("Statement {} is not found in resource policy.", *in.statement_id));
    }
    record.policy_revision_id = entropy_.uuid();
  });
  co_return model::RemovePermissionOutput{};
}

awaitable<model::GetPolicyOutput> LambdaService::get_policy(aws::CallContext call, model::GetPolicyInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  const StoredFunction function = co_await functions_.get(ref);
  if (function.record.statements.empty()) throw error(kResourceNotFound, "The resource you requested does not exist.");
  model::GetPolicyOutput out;
  out.policy = policy_document(function.record);
  out.revision_id = function.record.policy_revision_id;
  co_return out;
}

awaitable<model::ListTagsOutput> LambdaService::list_tags(aws::CallContext call, model::ListTagsInput in) {
  const StoredFunction function = co_await functions_.get(latest_ref(call.scope, or_default(in.resource)));
  model::ListTagsOutput out;
  out.tags = function.record.tags;
  co_return out;
}

awaitable<model::TagResourceOutput> LambdaService::tag_resource(aws::CallContext call, model::TagResourceInput in) {
  const bool from_template = call.origin == "template";
  check_tags(or_default(in.tags), from_template);
  co_await modify(latest_ref(call.scope, or_default(in.resource)), std::nullopt, false, [&](FunctionRecord& record) {
    for (const auto& [key, value] : or_default(in.tags)) record.tags[key] = value;
    check_tags(record.tags, true);
  });
  co_return model::TagResourceOutput{};
}

awaitable<model::UntagResourceOutput> LambdaService::untag_resource(aws::CallContext call, model::UntagResourceInput in) {
  co_await modify(latest_ref(call.scope, or_default(in.resource)), std::nullopt, false, [&](FunctionRecord& record) {
    for (const std::string& key : or_default(in.tag_keys)) record.tags.erase(key);
  });
  co_return model::UntagResourceOutput{};
}

awaitable<model::PutFunctionConcurrencyOutput> LambdaService::put_concurrency(aws::CallContext call, model::PutFunctionConcurrencyInput in) {
  const int limit = or_default(in.reserved_concurrent_executions);
  if (limit < 0 || limit > 900) {  // of the account's 1000, 100 stay unreserved
    throw error(kInvalidParameterValue, "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].");
  }
  const StoredFunction now = co_await modify(latest_ref(call.scope, or_default(in.function_name)), std::nullopt, false,
      [&](FunctionRecord& record) {
        record.reserved_concurrency = limit;
        record.config_id = entropy_.uuid();
      });
  co_await invoker_.deployed(now);
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
  const StoredFunction now = co_await modify(latest_ref(call.scope, or_default(in.function_name)), std::nullopt, false,
      [&](FunctionRecord& record) {
        if (record.reserved_concurrency) record.config_id = entropy_.uuid();
        record.reserved_concurrency.reset();
      });
  co_await invoker_.deployed(now);
  co_return model::DeleteFunctionConcurrencyOutput{};
}

awaitable<model::GetAccountSettingsOutput> LambdaService::get_account_settings(aws::CallContext call, model::GetAccountSettingsInput) {
  std::int64_t count = 0, bytes = 0;
  int reserved = 0;
  std::string after;
  while (true) {
    FunctionStore::Page page = co_await functions_.list(call.scope, after, 200);
    for (const FunctionRecord& record : page.records) {
      ++count;
      bytes += static_cast<std::int64_t>(record.code.size_bytes);
      reserved += record.reserved_concurrency.value_or(0);
    }
    if (!page.more || page.records.empty()) break;
    after = page.records.back().name;
  }
  model::GetAccountSettingsOutput out;
  out.account_limit = model::AccountLimit{};
  out.account_limit->total_code_size = std::int64_t{75} << 30;
  out.account_limit->code_size_unzipped = 262'144'000;
  out.account_limit->code_size_zipped = 50 << 20;
  out.account_limit->concurrent_executions = 1000;
  out.account_limit->unreserved_concurrent_executions = std::max(0, 1000 - reserved);
  out.account_usage = model::AccountUsage{};
  out.account_usage->total_code_size = bytes;
  out.account_usage->function_count = count;
  co_return out;
}

}  // namespace parvis::lambda
