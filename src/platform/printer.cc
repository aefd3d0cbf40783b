#include "platform/printer.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace parvis::platform {
namespace {

std::string text(const boost::json::object& event, std::string_view name) {
  const auto* value = event.if_contains(name);
  if (!value || value->is_null()) return {};
  if (value->is_string()) return std::string(value->get_string());
  return boost::json::serialize(*value);
}

// Function output is foreign: an escape sequence in it must not drive the developer's terminal.
std::string printable(std::string_view raw) {
  std::string out;
  for (const char letter : raw) {
    const auto byte = static_cast<unsigned char>(letter);
    if ((byte < 0x20 && letter != '\t') || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += letter;
    }
  }
  return out;
}

std::string duration(const boost::json::object& event, std::string_view name = "durationMs") {
  const auto* value = event.if_contains(name);
  return value && value->is_number() ? fmt::format("{:.1f} ms", value->to_number<double>()) : std::string{};
}

struct Paint {
  bool on;
  std::string operator()(const char* code, std::string_view what) const {
    return on ? fmt::format("\033[{}m{}\033[0m", code, what) : std::string(what);
  }
  std::string status(const std::string& status) const {
    return (*this)(status.starts_with('2') || status.starts_with('3') || status == "ok" ? "32" : status.starts_with('4') ? "33" : "31", status);
  }
};

std::string clock_of(const boost::json::object& event) {
  const std::string time = text(event, "time");
  return time.size() >= 23 ? time.substr(11, 12) : time;
}

std::string call_text(const boost::json::object& event, const Paint& paint, bool all) {
  const std::string time = paint("2", clock_of(event)), error = text(event, "error");
  const std::string name = fmt::format("{}:{}", text(event, "service"), printable(text(event, "operation")));
  std::string out;
  if (all || !error.empty())
    out = fmt::format("{} {} {}  {}{}\n", time, paint.status(text(event, "status")), name, duration(event), error.empty() ? "" : "  " + printable(error));
  if (const auto* ignored = event.if_contains("ignored"); ignored && ignored->is_array() && !ignored->get_array().empty())
    out += fmt::format("{} {} {} does not know these members, they were ignored: {}\n", time, paint("33", "warning"), name, printable(text(event, "ignored")));
  if (const auto* warnings = event.if_contains("warnings"); warnings && warnings->is_array())
    for (const auto& warning : warnings->get_array())
      out += fmt::format("{} {} {}: {}\n", time, paint("33", "warning"), text(event, "service"), printable(std::string(warning.as_string())));
  return out;
}

// Everything but requests, invocations and logs: what needs no memory of other events.
std::string other_text(const std::string& type, const boost::json::object& event, const PrinterOptions& options) {
  const Paint paint{options.colour};
  const std::string time = paint("2", clock_of(event));
  if (type == "call") return call_text(event, paint, options.calls);
  if (type == "deployment") {
    const std::string status = text(event, "status");
    return fmt::format("{} {} {} {} {}\n", time, paint(status == "failed" ? "31" : "1", "stack " + status), text(event, "stack"),
                       duration(event), printable(text(event, "message")));
  }
  if (type == "resource") {
    const std::string reason = text(event, "reason");
    return reason.empty() || reason == "User Initiated" ? std::string{} : fmt::format("{} {} {} {}: {}\n", time, text(event, "status"), text(event, "logicalId"),
                                                        text(event, "resourceType"), printable(reason));
  }
  if (type == "types") {
    const std::string errors = text(event, "errors");
    return fmt::format("{} {} {}\n", time, paint(errors == "0" ? "32" : "33", "types"), errors == "0" ? "no errors" : errors == "1" ? "1 error" : errors + " errors");
  }
  if (type == "debugger") {
    const bool attached = text(event, "status") == "attached";
    return fmt::format("{} {} {}{}\n", time, paint("36", attached ? "debugger attached" : "debugger detached"), text(event, "function"),
                       attached ? ": its time limits do not count" : "");
  }
  if (type == "warning" || type == "error") {
    const std::string file = text(event, "file"), line = text(event, "line"), column = text(event, "column");
    std::string where = file;
    if (!where.empty() && line != "0" && !line.empty()) where += ":" + line + (column.empty() || column == "0" ? "" : ":" + column);
    // A message may hold an excerpt of the source on lines of its own.
    return fmt::format("{} {} {}{}\n", time, paint(type == "error" ? "31" : "33", type), where.empty() ? "" : where + ": ", text(event, "message"));
  }
  return {};
}

bool report_line(const std::string& line) {
  if (line.starts_with("{\"time\":\"") && line.find("\"type\":\"platform.") != std::string::npos) return true;  // the same in JSON logs
  return line.starts_with("START RequestId") || line.starts_with("END RequestId") || line.starts_with("REPORT RequestId");
}

}  // namespace

void Printer::event(const boost::json::object& event, Steady::time_point now) {
  const std::lock_guard lock(mutex_);
  if (options_.json) return write_(boost::json::serialize(event) + "\n");
  const std::string type = text(event, "type");
  if (type == "log") return log(event, now);
  if (type == "invocation") return invocation(event, now);
  if (type == "request") return request(event);
  if (const std::string out = other_text(type, event, options_); !out.empty()) write_(out);
}

Printer::Call& Printer::call_of(const std::string& request_id, Steady::time_point now) {
  for (Call& call : calls_)
    if (call.request_id == request_id) return call;
  if (calls_.size() >= kCallsMax) {
    show(calls_.front());
    calls_.pop_front();
  }
  Call& made = calls_.emplace_back();
  made.request_id = request_id;
  made.due = now + kOutputWait;
  return made;
}

void Printer::log(const boost::json::object& event, Steady::time_point now) {
  const std::string line = text(event, "line"), request_id = text(event, "requestId");
  if (report_line(line)) return;
  std::string shown = fmt::format("             {} {}\n", Paint{options_.colour}("36", text(event, "source")), printable(line));
  if (request_id.empty()) return write_(shown);
  Call& call = call_of(request_id, now);
  if (call.live) return write_(shown);
  call.output.push_back(std::move(shown));
  if (call.output.size() >= kLinesMax) show(call);
}

void Printer::invocation(const boost::json::object& event, Steady::time_point now) {
  Call& call = call_of(text(event, "requestId"), now);
  const bool cold = event.contains("cold") && event.at("cold").as_bool();
  call.trace_id = text(event, "traceId");
  call.function_arn = text(event, "functionArn");
  call.start_kind = cold ? "cold, init " + duration(event, "initMs") : "warm";
  const Paint paint{options_.colour};
  call.line = fmt::format("{} {} invoke {}  {}  {}\n", paint("2", clock_of(event)), paint.status(text(event, "outcome")), text(event, "function"),
                          duration(event), call.start_kind);
  call.due = now + kRequestWait;
}

// A request shows how its function started, and takes that function's output under its own line.
void Printer::request(const boost::json::object& event) {
  const std::string trace_id = text(event, "traceId"), function = text(event, "functionArn");
  auto found = calls_.end();
  if (!function.empty())
    for (auto it = calls_.begin(); it != calls_.end() && found == calls_.end(); ++it)
      if (!it->line.empty() && it->trace_id == trace_id && it->function_arn.starts_with(function)) found = it;
  const Paint paint{options_.colour};
  const std::string error = text(event, "error");
  std::string line = fmt::format("{} {} {:<6} {}  {}", paint("2", clock_of(event)), paint.status(text(event, "status")), printable(text(event, "method")),
                                 printable(text(event, "path")), duration(event));
  if (found != calls_.end()) line += "  " + found->start_kind;
  if (!error.empty()) line += "  " + printable(error);
  if (found == calls_.end()) return write_(line + "\n");
  found->line = line + "\n";
  show(*found);
  calls_.erase(found);
}

void Printer::show(Call& call) {
  std::string out = std::exchange(call.line, {});
  for (const std::string& line : call.output) out += line;
  call.output.clear();
  call.live = true;
  if (!out.empty()) write_(out);
}

void Printer::tick(Steady::time_point now) {
  const std::lock_guard lock(mutex_);
  for (auto it = calls_.begin(); it != calls_.end();) {
    const bool ended = !it->line.empty();
    if (it->due > now) {
      ++it;
      continue;
    }
    show(*it);
    it = ended ? calls_.erase(it) : std::next(it);
  }
}

}  // namespace parvis::platform
