#include "services/lambda/operations.h"

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "services/lambda/keyspace.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

constexpr std::chrono::minutes kLinkLife{10};

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

LambdaService::LambdaService(asio::any_io_executor background, storage::Store& store, Runner& runner, const Clock& clock,
                             Entropy& entropy, ServiceOptions options)
    : clock_(clock), entropy_(entropy), options_(std::move(options)), functions_(store), code_(store, entropy, clock, options_.code),
      invoker_(functions_, code_, runner, clock, entropy, options_.invoke),
      events_(background, store, invoker_, clock, entropy, with_rules(options_.events)),
      site_(store, invoker_, clock, entropy), link_key_(entropy.token(64)), background_(std::move(background)) {}

EventQueueOptions LambdaService::with_rules(EventQueueOptions options) {
  options.rules = [this](FunctionRef ref) { return event_rules(std::move(ref)); };
  return options;
}

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
  bind(model::InvokeAsync{}, &LambdaService::invoke_async);
  bind(model::InvokeWithResponseStream{}, &LambdaService::invoke_with_stream);
  bind(model::PublishVersion{}, &LambdaService::publish_version);
  bind(model::ListVersionsByFunction{}, &LambdaService::list_versions);
  bind(model::CreateAlias{}, &LambdaService::create_alias);
  bind(model::GetAlias{}, &LambdaService::get_alias);
  bind(model::UpdateAlias{}, &LambdaService::update_alias);
  bind(model::DeleteAlias{}, &LambdaService::delete_alias);
  bind(model::ListAliases{}, &LambdaService::list_aliases);
  bind(model::AddPermission{}, &LambdaService::add_permission);
  bind(model::RemovePermission{}, &LambdaService::remove_permission);
  bind(model::GetPolicy{}, &LambdaService::get_policy);
  bind(model::PutResourcePolicy{}, &LambdaService::put_resource_policy);
  bind(model::GetResourcePolicy{}, &LambdaService::get_resource_policy);
  bind(model::DeleteResourcePolicy{}, &LambdaService::delete_resource_policy);
  code_signing_.bind(registry);
  bind(model::ListTags{}, &LambdaService::list_tags);
  bind(model::TagResource{}, &LambdaService::tag_resource);
  bind(model::UntagResource{}, &LambdaService::untag_resource);
  bind(model::PutFunctionConcurrency{}, &LambdaService::put_concurrency);
  bind(model::GetFunctionConcurrency{}, &LambdaService::get_concurrency);
  bind(model::DeleteFunctionConcurrency{}, &LambdaService::delete_concurrency);
  bind(model::GetAccountSettings{}, &LambdaService::get_account_settings);
  bind(model::PublishLayerVersion{}, &LambdaService::publish_layer_version);
  bind(model::GetLayerVersion{}, &LambdaService::get_layer_version);
  bind(model::GetLayerVersionByArn{}, &LambdaService::get_layer_version_by_arn);
  bind(model::ListLayers{}, &LambdaService::list_layers);
  bind(model::ListLayerVersions{}, &LambdaService::list_layer_versions);
  bind(model::DeleteLayerVersion{}, &LambdaService::delete_layer_version);
  bind(model::AddLayerVersionPermission{}, &LambdaService::add_layer_permission);
  bind(model::RemoveLayerVersionPermission{}, &LambdaService::remove_layer_permission);
  bind(model::GetLayerVersionPolicy{}, &LambdaService::get_layer_policy);
  bind(model::CreateFunctionUrlConfig{}, &LambdaService::create_url);
  bind(model::GetFunctionUrlConfig{}, &LambdaService::get_url);
  bind(model::UpdateFunctionUrlConfig{}, &LambdaService::update_url);
  bind(model::DeleteFunctionUrlConfig{}, &LambdaService::delete_url);
  bind(model::ListFunctionUrlConfigs{}, &LambdaService::list_urls);
  bind(model::PutFunctionEventInvokeConfig{}, &LambdaService::put_event_config);
  bind(model::UpdateFunctionEventInvokeConfig{}, &LambdaService::update_event_config);
  bind(model::GetFunctionEventInvokeConfig{}, &LambdaService::get_event_config);
  bind(model::DeleteFunctionEventInvokeConfig{}, &LambdaService::delete_event_config);
  bind(model::ListFunctionEventInvokeConfigs{}, &LambdaService::list_event_configs);
  bind(model::PutProvisionedConcurrencyConfig{}, &LambdaService::put_provisioned);
  bind(model::GetProvisionedConcurrencyConfig{}, &LambdaService::get_provisioned);
  bind(model::DeleteProvisionedConcurrencyConfig{}, &LambdaService::delete_provisioned);
  bind(model::ListProvisionedConcurrencyConfigs{}, &LambdaService::list_provisioned);
  bind(model::PutFunctionRecursionConfig{}, &LambdaService::put_recursion);
  bind(model::GetFunctionRecursionConfig{}, &LambdaService::get_recursion);
  bind(model::PutRuntimeManagementConfig{}, &LambdaService::put_runtime_management);
  bind(model::GetRuntimeManagementConfig{}, &LambdaService::get_runtime_management);
}

awaitable<> LambdaService::start() {
  for (const aws::Scope& scope : co_await stored_scopes(functions_.store())) {
    const std::string prefix = gone_prefix(scope.account, scope.region);
    const storage::ScanPage page = co_await functions_.store().snapshot()->scan({.begin = prefix, .end = storage::prefix_end(prefix)});
    for (const storage::Entry& entry : page.entries) {
      co_await purge(scope, storage::TupleReader(std::string_view(entry.key).substr(prefix.size())).string().value_or(""));
    }
    co_await collect_layers(scope);
    co_await code_.collect(scope);
    asio::co_spawn(background_, restore_environments(scope), [](std::exception_ptr failed) {
      try {
        if (failed) std::rethrow_exception(failed);
      } catch (const std::exception& thrown) {
        spdlog::error("provisioned concurrency could not be restored: {}", thrown.what());
      }
    });
  }
  co_await events_.start();
}

awaitable<LambdaService::Changed> LambdaService::modify(FunctionRef ref, std::optional<std::string> revision_id, bool new_revision,
                                                        Change change) {
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    StoredFunction function = co_await functions_.get(ref);
    check_revision(function.record.revision_id, revision_id);
    const FunctionRecord before = function.record;
    if (new_revision) {
      function.record.revision_id = entropy_.uuid();
      function.record.last_modified = clock_.wall();
    }
    storage::Commit with;
    change(function.record, with);
    // Workers of a configuration stay when it is said once more.
    if (new_revision && config_digest(before) != config_digest(function.record)) function.record.config_id = function.record.revision_id;
    std::optional<CodeRef> loose;
    if (function.record.code.id != before.code.id) {
      CodeStore::hold(ref.scope, function.record.code, with);
      if (!co_await used_by_versions(before, before.code.id)) {
        CodeStore::let_go(ref.scope, before.code, with);
        loose = before.code;
      }
    }
    // The version of what was written is read back: invocations look it up by it.
    if (co_await functions_.write(function.record, function.version, std::move(with))) {
      co_return Changed{co_await functions_.get(ref), std::move(loose)};
    }
  }
  throw update_in_progress(ref);
}

std::string LambdaService::link_signature(std::string_view path, std::string_view expires) const {
  const Sha256Digest digest = hmac_sha256(link_key_, fmt::format("{}\n{}", path, expires));
  return hex_encode(as_bytes(digest));
}

std::string LambdaService::location_of(const aws::Scope& scope, const CodeRef& code) const {
  if (code.id.empty()) return {};
  const std::string path = fmt::format("{}/{}/{}/{}", scope.account, scope.region, code.id, hex_encode(code.sha256));
  const std::string expires = std::to_string(std::chrono::duration_cast<std::chrono::seconds>((clock_.wall() + kLinkLife).time_since_epoch()).count());
  return fmt::format("{}/_aws/lambda-code/{}?Expires={}&Signature={}", options_.public_url, path, expires, link_signature(path, expires));
}

awaitable<http::Response> LambdaService::download(std::string path, std::string query) {
  std::map<std::string, std::string> given;
  for (auto& [name, value] : http::parse_query(query)) given[name] = std::move(value);
  http::Response response{.status = 403, .headers = {}, .body = "The link is not valid or has expired.\n", .stream = {}};
  const std::string wanted = link_signature(path, given["Expires"]);
  const std::string now = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count());
  const std::string& expires = given["Expires"];
  if (!equal_in_constant_time(given["Signature"], wanted) || expires.size() != now.size() || expires < now) co_return response;
  // What was signed was made by location_of(): account/region/blob id/hash.
  std::vector<std::string> parts;
  for (std::string_view rest = path;;) {
    const std::size_t slash = rest.find('/');
    parts.emplace_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  CodeRef code;
  code.id = parts.at(2);
  code.sha256 = hex_decode(parts.at(3)).value();
  response.status = 200;
  response.headers.add("Content-Type", "application/zip");
  response.body = co_await code_.read({parts.at(0), parts.at(1)}, code);
  co_return response;
}

awaitable<LambdaService::Target> LambdaService::target(FunctionRef ref) {
  Target out{co_await functions_.get(ref), {}, std::nullopt, 0};
  std::string number = ref.qualifier;
  if (!is_latest(number) && !is_version(number)) {
    std::optional<Part> part = co_await functions_.part(out.function.record, {kAliasPart, number});
    out.alias = part ? parse_alias(part->bytes) : std::nullopt;
    if (!out.alias) throw error(kResourceNotFound, "Cannot find alias arn: " + ref.qualified_arn());
    out.alias_version = part->version;
    number = out.alias->version;
  }
  if (is_latest(number)) {
    out.record = out.function.record;
    co_return out;
  }
  std::optional<FunctionRecord> published = co_await functions_.published(out.function.record, number);
  if (!published) throw not_found(ref);
  out.record = std::move(*published);
  co_return out;
}

}  // namespace parvis::lambda
