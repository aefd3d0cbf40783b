#include <fmt/format.h>

#include "services/lambda/function_url.h"
#include "services/lambda/keyspace.h"
#include "services/lambda/operations.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

constexpr std::size_t kUrlIdLength = 32;

aws::ApiError no_url() { return error(kResourceNotFound, "The resource you requested does not exist."); }

// A URL belongs to the function itself or to an alias.
FunctionRef url_ref(const aws::Scope& caller, const std::optional<std::string>& name, const std::optional<std::string>& qualifier) {
  FunctionRef ref = parse_function_ref(caller, or_default(name), or_default(qualifier));
  if (ref.qualifier == kLatest || is_version(ref.qualifier)) {
    throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'qualifier' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)", ref.qualifier));
  }
  return ref;
}

}  // namespace

template <class Out>
Out LambdaService::describe_url(const FunctionUrl& url) const {
  Out out;
  out.function_url = options_.public_url + "/_aws/lambda-url/" + url.id + "/";
  out.function_arn = url.ref().qualified_arn();
  out.auth_type = url.auth_type;
  out.cors = url.cors;
  out.creation_time = format_last_modified(url.created);
  if constexpr (requires { out.last_modified_time; }) out.last_modified_time = format_last_modified(url.modified);
  out.invoke_mode = url.invoke_mode;
  return out;
}

awaitable<LambdaService::StoredUrl> LambdaService::stored_url(FunctionRef ref) {
  const std::optional<StoredFunction> function = co_await functions_.find(ref);
  if (!function) throw no_url();
  const std::optional<Part> part = co_await functions_.part(function->record, {kUrlPart, ref.qualifier});
  if (!part) throw no_url();
  const std::string key = url_key(ref.scope.account, ref.scope.region, part->bytes);
  const auto value = co_await functions_.store().snapshot()->get(key);
  std::optional<FunctionUrl> url = value ? parse_function_url(value->bytes) : std::nullopt;
  if (!url) throw no_url();
  co_return StoredUrl{*function, std::move(*url), part->version, value->version};
}

awaitable<model::CreateFunctionUrlConfigOutput> LambdaService::create_url(aws::CallContext call, model::CreateFunctionUrlConfigInput in) {
  const FunctionRef ref = url_ref(call.scope, in.function_name, in.qualifier);
  if (in.cors) check_cors(*in.cors);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const std::optional<StoredFunction> function = co_await functions_.find(ref);
    std::optional<Part> alias;
    if (function && !ref.qualifier.empty()) alias = co_await functions_.part(function->record, {kAliasPart, ref.qualifier});
    if (!function || (!ref.qualifier.empty() && !alias)) throw error(kResourceNotFound, "Function does not exist");
    const PartId id{kUrlPart, ref.qualifier};
    if (co_await functions_.part(function->record, id)) {
      throw error(kResourceConflict, fmt::format("Failed to create function url config for [functionArn = {}]. Error message:  "
          "FunctionUrlConfig exists for this Lambda function", ref.qualified_arn()));
    }
    FunctionUrl url{.id = entropy_.token(kUrlIdLength), .scope = ref.scope, .function = ref.name, .function_id = function->record.id,
                    .qualifier = ref.qualifier, .auth_type = or_default(in.auth_type),
                    .invoke_mode = or_default<std::string>(in.invoke_mode, "BUFFERED"), .cors = in.cors, .created = clock_.wall(),
                    .modified = clock_.wall()};
    storage::Commit with;
    const std::string key = url_key(ref.scope.account, ref.scope.region, url.id);
    with.check(key, std::nullopt).put(key, to_json(url));
    if (alias) with.check(FunctionStore::key_of(function->record, {kAliasPart, ref.qualifier}), alias->version);
    if (co_await functions_.write_part(*function, id, url.id, std::nullopt, std::move(with))) {
      co_return describe_url<model::CreateFunctionUrlConfigOutput>(url);
    }
  }
  throw update_in_progress(ref);
}

awaitable<model::GetFunctionUrlConfigOutput> LambdaService::get_url(aws::CallContext call, model::GetFunctionUrlConfigInput in) {
  co_return describe_url<model::GetFunctionUrlConfigOutput>((co_await stored_url(url_ref(call.scope, in.function_name, in.qualifier))).url);
}

awaitable<model::UpdateFunctionUrlConfigOutput> LambdaService::update_url(aws::CallContext call, model::UpdateFunctionUrlConfigInput in) {
  const FunctionRef ref = url_ref(call.scope, in.function_name, in.qualifier);
  if (in.cors) check_cors(*in.cors);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    StoredUrl found = co_await stored_url(ref);
    if (in.auth_type) found.url.auth_type = *in.auth_type;
    if (in.cors) found.url.cors = in.cors;
    if (in.invoke_mode) found.url.invoke_mode = *in.invoke_mode;
    found.url.modified = clock_.wall();
    storage::Commit commit;
    const std::string key = url_key(ref.scope.account, ref.scope.region, found.url.id);
    commit.check(key, found.version).put(key, to_json(found.url));
    if (co_await functions_.commit(std::move(commit))) co_return describe_url<model::UpdateFunctionUrlConfigOutput>(found.url);
  }
  throw update_in_progress(ref);
}

awaitable<model::DeleteFunctionUrlConfigOutput> LambdaService::delete_url(aws::CallContext call, model::DeleteFunctionUrlConfigInput in) {
  const FunctionRef ref = url_ref(call.scope, in.function_name, in.qualifier);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const StoredUrl found = co_await stored_url(ref);
    storage::Commit with;
    with.erase(url_key(ref.scope.account, ref.scope.region, found.url.id));
    if (co_await functions_.erase_part(found.function, {kUrlPart, ref.qualifier}, found.part_version, std::move(with))) {
      co_return model::DeleteFunctionUrlConfigOutput{};
    }
  }
  throw update_in_progress(ref);
}

awaitable<model::ListFunctionUrlConfigsOutput> LambdaService::list_urls(aws::CallContext call, model::ListFunctionUrlConfigsInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  const std::optional<StoredFunction> function = co_await functions_.find(ref);
  if (!function) throw error(kResourceNotFound, "Function does not exist");
  // The marker is an alias with a dot before it: the function's own URL has an empty qualifier.
  const std::size_t limit = page_size(in.max_items);
  const std::string marker = or_default(in.marker);
  const auto snapshot = functions_.store().snapshot();
  model::ListFunctionUrlConfigsOutput out;
  out.function_url_configs.emplace();
  const auto page = co_await functions_.parts(function->record, kUrlPart);
  std::string last;
  for (const Part& part : page.parts) {
    if (!marker.empty() && "." + part.qualifier <= marker) continue;
    if (out.function_url_configs->size() == limit) {
      out.next_marker = "." + last;
      break;
    }
    const auto value = co_await snapshot->get(url_key(ref.scope.account, ref.scope.region, part.bytes));
    const std::optional<FunctionUrl> url = value ? parse_function_url(value->bytes) : std::nullopt;
    if (url) out.function_url_configs->push_back(describe_url<model::FunctionUrlConfig>(*url));
    last = part.qualifier;
  }
  co_return out;
}

}  // namespace parvis::lambda
