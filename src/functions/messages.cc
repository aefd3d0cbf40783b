#include "functions/messages.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/time_format.h"

namespace parvis::functions {
namespace {

void put_u32(std::string& out, std::size_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

double milliseconds(std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1000; }

std::string timed_out(std::chrono::milliseconds timeout) {
  return fmt::format("Task timed out after {:.2f} seconds", static_cast<double>(timeout.count()) / 1000);
}

void quote(std::string& out, std::string_view name, std::string_view text) {
  out += name;
  out += boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

}  // namespace

std::string frame(char type, std::string_view body, unsigned flags) {
  std::string out;
  out.reserve(kFrameHeaderBytes + body.size());
  put_u32(out, body.size());
  out += type;
  out += static_cast<char>(flags);
  out += body;
  return out;
}

std::string invoke_head(const Invocation& call, std::chrono::milliseconds timeout) {
  std::string meta;
  quote(meta, "{\"id\":", call.request_id);
  quote(meta, ",\"arn\":", call.function_arn);
  if (!call.trace_header.empty()) quote(meta, ",\"trace\":", call.trace_header);
  if (!call.client_context.empty()) quote(meta, ",\"clientContext\":", call.client_context);
  meta += fmt::format(",\"timeoutMs\":{}}}", timeout.count());
  std::string out;
  out.reserve(kFrameHeaderBytes + 4 + meta.size());
  put_u32(out, 4 + meta.size() + call.payload.size());
  out += 'I';
  out += '\0';
  put_u32(out, meta.size());
  out += meta;
  return out;
}

std::string error_payload(std::string_view type, std::string_view message) {
  std::string out;
  quote(out, "{\"errorType\":", type);
  quote(out, ",\"errorMessage\":", message);
  return out + "}";
}

std::string too_large_payload(std::size_t bytes_max) {
  return error_payload("Function.ResponseSizeTooLarge", fmt::format("Response payload size exceeded maximum allowed payload size ({} bytes).", bytes_max));
}

std::string timeout_payload(const std::string& request_id, std::chrono::milliseconds timeout) {
  return error_payload("Sandbox.Timedout", fmt::format("RequestId: {} Error: {}", request_id, timed_out(timeout)));
}

std::string exit_payload(const std::string& request_id, const ExitStatus& status) {
  std::string why = "without providing a reason";
  if (status.signaled) {
    std::string name = ::strsignal(status.value);
    name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
    why = fmt::format("with error: signal: {}", name);
  }
  else if (status.value != 0) why = fmt::format("with error: exit status {}", status.value);
  return error_payload("Runtime.ExitError", fmt::format("RequestId: {} Error: Runtime exited {}", request_id, why));
}

std::string stopping_payload() { return error_payload("Runtime.ExitError", "the function engine is stopping"); }

std::string out_of_memory_payload(const std::string& request_id) {
  return error_payload("Runtime.OutOfMemory", fmt::format("RequestId: {} Error: Runtime exited with error: signal: killed", request_id));
}

std::string start_line(const std::string& request_id, const std::string& version) {
  return fmt::format("START RequestId: {} Version: {}", request_id, version);
}

std::string timeout_line(Millis now, const std::string& request_id, std::chrono::milliseconds timeout) {
  return fmt::format("{} {} {}\n", format_iso8601(now), request_id, timed_out(timeout));
}

std::string end_line(const std::string& request_id) { return fmt::format("END RequestId: {}", request_id); }

// Since August 2025 Lambda bills the init phase of managed runtimes too.
std::int64_t billed_ms(const Report& report) {
  const auto billed = std::chrono::ceil<std::chrono::milliseconds>(report.duration + (report.cold ? report.init : std::chrono::microseconds(0)));
  return std::max<std::int64_t>(1, billed.count());
}

std::string report_line(const std::string& request_id, const Report& report) {
  std::string out = fmt::format(
      "REPORT RequestId: {}\tDuration: {:.2f} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t", request_id,
      milliseconds(report.duration), billed_ms(report), report.memory_mb, report.memory_peak_bytes >> 20);
  if (report.cold) out += fmt::format("Init Duration: {:.2f} ms\t", milliseconds(report.init));
  if (!report.status.empty()) out += fmt::format("Status: {}\t", report.status);
  if (!report.error_type.empty()) out += fmt::format("Error Type: {}\t", report.error_type);
  return out;
}

}  // namespace parvis::functions
