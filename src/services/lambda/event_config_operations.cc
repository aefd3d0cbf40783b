#include <fmt/format.h>

#include "services/lambda/event_config.h"
#include "services/lambda/operations.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

FunctionRef with_latest(FunctionRef ref) {
  if (ref.qualifier.empty()) ref.qualifier = kLatest;
  return ref;
}

aws::ApiError no_config(const FunctionRef& ref) {
  return error(kResourceNotFound, fmt::format("The function {} doesn't have an EventInvokeConfig", ref.qualified_arn()));
}

template <class Input>
void check_anything(const Input& in) {
  if (in.maximum_retry_attempts || in.maximum_event_age_in_seconds || in.destination_config) return;
  throw error(kInvalidParameterValue, "You must specify at least one of error handling or destination setting.");
}

}  // namespace

// Takes over the destinations. Only functions can be one. Differs from AWS: queues, topics, event buses and buckets are refused.
awaitable<> LambdaService::apply_destinations(FunctionRef ref, std::optional<model::DestinationConfig> in, EventConfig& config) {
  if (!in) co_return;
  const std::pair<std::string, std::string*> given[] = {
      {in->on_success ? or_default(in->on_success->destination) : "", &config.on_success},
      {in->on_failure ? or_default(in->on_failure->destination) : "", &config.on_failure}};
  for (const auto& [arn, member] : given) {
    *member = arn;
    if (arn.empty()) continue;
    const bool is_function = arn.starts_with("arn:") && arn.find(":lambda:") != std::string::npos && arn.find(":function:") != std::string::npos;
    if (!is_function) {
      throw error(kInvalidParameterValue, fmt::format("The destination {} is not available on this platform yet: only Lambda functions can "
          "be a destination.", arn));
    }
    const FunctionRef to = parse_function_ref(ref.scope, arn);
    if (to.name == ref.name) throw error(kInvalidParameterValue, "You can't specify the function as a destination for itself.");
    if (!co_await functions_.find(to)) throw error(kInvalidParameterValue, fmt::format("The destination ARN {} is invalid.", arn));
  }
}

awaitable<EventConfig> LambdaService::write_event_config(FunctionRef ref, EventConfig config) {
  config.modified = clock_.wall();
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    std::optional<Target> found;
    try {
      found = co_await target(ref);
    } catch (const aws::ApiError&) {
      found.reset();
    }
    if (!found) throw error(kResourceNotFound, "The function doesn't exist.");
    const PartId id{kEventPart, ref.qualifier};
    const std::optional<Part> part = co_await functions_.part(found->function.record, id);
    const std::optional<storage::Version> expected = part ? std::optional(part->version) : std::nullopt;
    if (co_await functions_.write_part(found->function, id, to_json(config), expected)) co_return config;
  }
  throw update_in_progress(ref);
}

awaitable<model::PutFunctionEventInvokeConfigOutput> LambdaService::put_event_config(aws::CallContext call,
                                                                                     model::PutFunctionEventInvokeConfigInput in) {
  const FunctionRef ref = with_latest(parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier)));
  check_anything(in);
  EventConfig config{.retries = in.maximum_retry_attempts, .age_seconds = in.maximum_event_age_in_seconds, .on_success = {}, .on_failure = {}};
  co_await apply_destinations(ref, in.destination_config, config);
  co_return describe_event_config(co_await write_event_config(ref, std::move(config)), ref.qualified_arn());
}

awaitable<EventConfig> LambdaService::event_config(FunctionRef ref) {
  const std::optional<StoredFunction> function = co_await functions_.find(ref);
  const std::optional<Part> part = function ? co_await functions_.part(function->record, {kEventPart, ref.qualifier}) : std::nullopt;
  const std::optional<EventConfig> config = part ? parse_event_config(part->bytes) : std::nullopt;
  if (!config) throw no_config(ref);
  co_return *config;
}

awaitable<model::UpdateFunctionEventInvokeConfigOutput> LambdaService::update_event_config(aws::CallContext call,
                                                                                           model::UpdateFunctionEventInvokeConfigInput in) {
  const FunctionRef ref = with_latest(parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier)));
  check_anything(in);
  if (!co_await functions_.find(ref)) throw error(kResourceNotFound, "The function doesn't exist.");
  EventConfig config = co_await event_config(ref);
  if (in.maximum_retry_attempts) config.retries = in.maximum_retry_attempts;
  if (in.maximum_event_age_in_seconds) config.age_seconds = in.maximum_event_age_in_seconds;
  co_await apply_destinations(ref, in.destination_config, config);
  co_return describe_event_config(co_await write_event_config(ref, std::move(config)), ref.qualified_arn());
}

awaitable<model::GetFunctionEventInvokeConfigOutput> LambdaService::get_event_config(aws::CallContext call,
                                                                                     model::GetFunctionEventInvokeConfigInput in) {
  const FunctionRef ref = with_latest(parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier)));
  co_return describe_event_config(co_await event_config(ref), ref.qualified_arn());
}

awaitable<model::DeleteFunctionEventInvokeConfigOutput> LambdaService::delete_event_config(aws::CallContext call,
                                                                                           model::DeleteFunctionEventInvokeConfigInput in) {
  const FunctionRef ref = with_latest(parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier)));
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const std::optional<StoredFunction> function = co_await functions_.find(ref);
    const PartId id{kEventPart, ref.qualifier};
    const std::optional<Part> part = function ? co_await functions_.part(function->record, id) : std::nullopt;
    if (!part) throw no_config(ref);
    if (co_await functions_.erase_part(*function, id, part->version)) co_return model::DeleteFunctionEventInvokeConfigOutput{};
  }
  throw update_in_progress(ref);
}

awaitable<model::ListFunctionEventInvokeConfigsOutput> LambdaService::list_event_configs(aws::CallContext call,
                                                                                         model::ListFunctionEventInvokeConfigsInput in) {
  const FunctionRef ref = latest_ref(call.scope, or_default(in.function_name));
  const std::optional<StoredFunction> function = co_await functions_.find(ref);
  if (!function) throw error(kResourceNotFound, "The function doesn't exist.");
  const auto page = co_await functions_.parts(function->record, kEventPart, or_default(in.marker), page_size(in.max_items));
  model::ListFunctionEventInvokeConfigsOutput out;
  out.function_event_invoke_configs.emplace();
  for (const Part& part : page.parts) {
    const std::optional<EventConfig> config = parse_event_config(part.bytes);
    if (config) out.function_event_invoke_configs->push_back(describe_event_config(*config, ref.arn() + ":" + part.qualifier));
  }
  if (page.more && !page.parts.empty()) out.next_marker = page.parts.back().qualifier;
  co_return out;
}

awaitable<EventRules> LambdaService::event_rules(FunctionRef ref) {
  const std::optional<StoredFunction> function = co_await functions_.find(ref);
  if (!function) co_return EventRules{};
  const std::optional<Part> part = co_await functions_.part(function->record, {kEventPart, with_latest(ref).qualifier});
  const std::optional<EventConfig> config = part ? parse_event_config(part->bytes) : std::nullopt;
  co_return config ? rules_of(*config) : EventRules{};
}

}  // namespace parvis::lambda
