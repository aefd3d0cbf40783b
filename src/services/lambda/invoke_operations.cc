#include "services/lambda/operations.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "services/lambda/recursion.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

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

// Calls of functions by functions carry their lineage; only those can be a loop.
awaitable<> LambdaService::count_lineage(aws::TraceContext& trace, FunctionRef ref) {
  Lineage lineage = extend_lineage(trace.lineage, ref.arn());
  trace.lineage = std::move(lineage.text);
  if (lineage.calls <= kLoopCallsMax) co_return;
  const StoredFunction function = co_await functions_.get(ref);
  if (function.record.recursive_loop != "Terminate") co_return;
  spdlog::warn("lambda: {} was called {} times in one chain and is stopped (PutFunctionRecursionConfig can allow it)", ref.arn(), lineage.calls);
  throw error(kRecursiveInvocation, "Lambda has detected your function being invoked in a recursive loop with other AWS resources and "
      "stopped your function's invocation.");
}

awaitable<> LambdaService::accept_event(FunctionRef ref, functions::Invocation invocation) {
  check_payload(invocation.payload, true);
  co_await target(ref);
  co_await events_.submit(std::move(ref), std::move(invocation));
}

awaitable<model::InvokeOutput> LambdaService::invoke(aws::CallContext call, model::InvokeInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  if (in.durable_execution_name || in.tenant_id) {
    throw error(kInvalidParameterValue, "Durable executions and tenant isolation are not available on this platform.");
  }
  const std::string type = or_default<std::string>(in.invocation_type, "RequestResponse");
  model::InvokeOutput out;
  co_await count_lineage(call.trace, ref);
  functions::Invocation invocation{call.request_id, or_default(std::move(in.payload)), call.trace.header(), ref.qualified_arn(),
                                   decode_client_context(in.client_context)};
  if (type == "DryRun") {
    co_await target(ref);
    out.status_code = 204;
    co_return out;
  }
  if (type == "Event") {
    co_await accept_event(ref, std::move(invocation));
    out.status_code = 202;
    co_return out;
  }
  if (type != "RequestResponse") {
    throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'invocationType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [Event, RequestResponse, DryRun]", type));
  }
  check_payload(invocation.payload, false);
  CallResult done = co_await invoker_.run(ref, std::move(invocation));
  out.status_code = 200;
  out.executed_version = std::move(done.version);
  if (done.function_error) out.function_error = "Unhandled";
  if (or_default(in.log_type) == "Tail") out.log_result = log_tail_base64(done.result.log);
  out.payload = std::move(done.result.payload);
  co_return out;
}

// Source: Lambda API Reference, InvokeAsync (deprecated by AWS; the CLI still has it).
awaitable<model::InvokeAsyncOutput> LambdaService::invoke_async(aws::CallContext call, model::InvokeAsyncInput in) {
  FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name));
  std::string payload;
  if (in.invoke_args) {
    payload = std::move(in.invoke_args->bytes);
    while (in.invoke_args->source && payload.size() <= kAsyncPayloadBytesMax) {
      std::optional<std::string> piece = co_await in.invoke_args->source->read();
      if (!piece) break;
      payload += *piece;
    }
  }
  const std::string arn = ref.qualified_arn();
  co_await count_lineage(call.trace, ref);
  co_await accept_event(std::move(ref), {call.request_id, std::move(payload), call.trace.header(), arn, {}});
  model::InvokeAsyncOutput out;
  out.status = 202;
  co_return out;
}

namespace {

// The function's answer as events of the API.
class EventAnswer final : public functions::ResponseSink {
 public:
  explicit EventAnswer(aws::EventSink& sink) : sink_(sink) {}
  awaitable<> begin(functions::StreamHead head) override {
    // The caller gets what the function wrote: the prelude, and the mark that ends it.
    if (head.has_prelude) co_await write(head.prelude + std::string(8, '\0'));
  }
  awaitable<> write(std::string bytes) override {
    auto event = std::make_shared<model::InvokeWithResponseStreamResponseEvent>();
    event->payload_chunk.emplace().payload = std::move(bytes);
    co_await sink_.write(std::move(event));
  }

 private:
  aws::EventSink& sink_;
};

awaitable<> stream_call(Invoker& invoker, std::shared_ptr<Invoker::Admitted> admitted, functions::Invocation invocation, bool tail,
                        aws::EventSink& sink) {
  EventAnswer answer(sink);
  auto event = std::make_shared<model::InvokeWithResponseStreamResponseEvent>();
  auto& complete = event->invoke_complete.emplace();
  try {
    CallResult done = co_await invoker.run_streaming(std::move(admitted), std::move(invocation), answer);
    if (done.function_error) {
      complete.error_code = "Unhandled";
      complete.error_details = std::move(done.result.payload);
    }
    if (tail) complete.log_result = log_tail_base64(done.result.log);
  } catch (const aws::ApiError& failed) {
    complete.error_code = failed.code();
    complete.error_details = failed.message();
  }
  co_await sink.write(std::move(event));
}

}  // namespace

awaitable<model::InvokeWithResponseStreamOutput> LambdaService::invoke_with_stream(aws::CallContext call, model::InvokeWithResponseStreamInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  if (in.tenant_id) throw error(kInvalidParameterValue, "Tenant isolation is not available on this platform.");
  co_await count_lineage(call.trace, ref);
  functions::Invocation invocation{call.request_id, or_default(std::move(in.payload)), call.trace.header(), ref.qualified_arn(),
                                   decode_client_context(in.client_context)};
  model::InvokeWithResponseStreamOutput out;
  if (or_default(in.invocation_type) == "DryRun") {
    co_await target(ref);
    out.status_code = 204;
    co_return out;
  }
  check_payload(invocation.payload, false);
  std::shared_ptr<Invoker::Admitted> admitted = co_await invoker_.admit(ref);
  out.status_code = 200;
  out.executed_version = Invoker::version_of(*admitted);
  const bool tail = or_default(in.log_type) == "Tail";
  out.event_stream = aws::EventStream{[this, admitted = std::move(admitted), invocation = std::move(invocation), tail](aws::EventSink& sink) {
    return stream_call(invoker_, admitted, invocation, tail, sink);
  }};
  co_return out;
}

awaitable<functions::InvocationResult> LambdaService::invoke_arn(aws::CallContext call, std::string arn, std::string payload) {
  const FunctionRef ref = parse_function_ref(call.scope, arn);
  if (payload.size() > kPayloadBytesMax) check_payload(payload, false);
  CallResult done = co_await invoker_.run(ref, {call.request_id, std::move(payload), call.trace.header(), ref.qualified_arn(), {}});
  co_return std::move(done.result);
}

}  // namespace parvis::lambda
