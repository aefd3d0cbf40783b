#include "platform/observation.h"

#include "platform/stored_bytes.h"

namespace parvis::platform {
namespace {

double milliseconds(std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1000.0; }

// The trace id in a header "Root=…;Parent=…"; empty when there is none.
std::string trace_of(std::string_view header) {
  const auto trace = aws::TraceContext::parse(header);
  return trace ? trace->trace_id : std::string{};
}

}  // namespace

std::string_view outcome_name(functions::Outcome outcome) {
  using functions::Outcome;
  switch (outcome) {
    case Outcome::kOk: return "ok";
    case Outcome::kFunctionError: return "functionError";
    case Outcome::kTimedOut: return "timedOut";
    case Outcome::kCrashed: return "crashed";
    case Outcome::kThrottled: return "throttled";
    case Outcome::kInitError: return "initError";
  }
  std::abort();
}

void Observation::call(const aws::CallRecord& call) {
  if (call.call.origin == kUsageOrigin) return;
  usage_.call(call);
  // A template's properties have rules of their own, which name the template's line.
  const std::vector<std::string> warnings = call.call.origin == "template" ? std::vector<std::string>() : call.warnings;
  const bool routine = call.error_code.empty() && call.ignored.empty() && warnings.empty();
  if (!(routine ? events_.active_for_routine() : events_.active())) return;
  // What a service says of a template's value may quote it; the stack's events tell it without those of NoEcho parameters.
  const std::string message = call.call.origin == "template" ? "see the stack's events" : call.error_message;
  events_.publish("call", {{"service", call.service}, {"operation", call.operation}, {"account", call.call.scope.account},
                           {"region", call.call.scope.region}, {"origin", call.call.origin}, {"status", call.status},
                           {"error", call.error_code.empty() ? "" : call.error_code + ": " + message},
                           {"durationMs", milliseconds(std::chrono::microseconds(call.duration_us))}, {"requestId", call.call.request_id},
                           {"traceId", call.call.trace.trace_id}, {"bytesIn", call.bytes_in}, {"bytesOut", call.bytes_out},
                           {"ignored", boost::json::value_from(call.ignored)}, {"warnings", boost::json::value_from(warnings)}});
}

void Observation::request(const apigateway::RequestRecord& request) {
  usage_.request(request);
  if (!events_.active()) return;
  events_.publish("request", {{"api", request.api_name}, {"apiId", request.api_id}, {"stage", request.stage}, {"method", request.method},
                              {"path", request.path}, {"route", request.route}, {"status", request.status},
                              {"durationMs", milliseconds(request.latency)}, {"functionArn", request.function_arn},
                              {"requestId", request.request_id}, {"traceId", request.trace_id}, {"error", request.error}});
}

void Observation::invocation(const lambda::InvocationRecord& invocation) {
  usage_.invocation(invocation);
  if (!events_.active()) return;
  const functions::InvocationResult& result = invocation.result;
  events_.publish("invocation", {{"function", invocation.function.name}, {"functionArn", invocation.arn}, {"account", invocation.scope.account},
                            {"region", invocation.scope.region}, {"requestId", invocation.request_id},
                            {"traceId", trace_of(invocation.trace_header)}, {"outcome", outcome_name(result.outcome)},
                            {"cold", result.cold}, {"durationMs", milliseconds(result.duration)}, {"initMs", milliseconds(result.init)},
                            {"memoryMb", invocation.function.memory_mb},
                            {"memoryPeakBytes", result.memory_peak_bytes}, {"bytesIn", invocation.bytes_in},
                            {"bytesOut", result.payload.size()}});
}

void Observation::log(const functions::LogLine& line) {
  if (!events_.active()) return;
  events_.publish("log", {{"source", line.function}, {"requestId", line.request_id}, {"traceId", trace_of(line.trace_header)}, {"line", line.line}});
}

}  // namespace parvis::platform
