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
    if (byte < 0x20 && letter != '\t') {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += letter;
    }
  }
  return out;
}

std::string duration(const boost::json::object& event) {
  const auto* value = event.if_contains("durationMs");
  return value && value->is_number() ? fmt::format("{:.1f} ms", value->to_number<double>()) : std::string{};
}

struct Paint {
  bool on;
  std::string operator()(const char* code, std::string_view what) const {
    return on ? fmt::format("\033[{}m{}\033[0m", code, what) : std::string(what);
  }
  std::string status(const std::string& status) const {
    return (*this)(status.starts_with('2') || status.starts_with('3') ? "32" : status.starts_with('4') ? "33" : "31", status);
  }
};

std::string clock_of(const boost::json::object& event) {
  const std::string time = text(event, "time");
  return time.size() >= 23 ? time.substr(11, 12) : time;
}

}  // namespace

std::string print_event(const boost::json::object& event, const PrinterOptions& options) {
  if (options.json) return boost::json::serialize(event) + "\n";
  const Paint paint{options.colour};
  const std::string type = text(event, "type");
  const std::string time = paint("2", clock_of(event));
  if (type == "request") {
    return fmt::format("{} {} {:<6} {}  {}{}\n", time, paint.status(text(event, "status")), text(event, "method"),
                       printable(text(event, "path")), duration(event), event.contains("cold") && event.at("cold").as_bool() ? "  cold" : "");
  }
  if (type == "call") {
    const std::string error = text(event, "error");
    std::string out;
    if (options.calls || !error.empty())
      out = fmt::format("{} {} {}:{}  {}{}\n", time, paint.status(text(event, "status")), text(event, "service"),
                        text(event, "operation"), duration(event), error.empty() ? "" : "  " + printable(error));
    if (const auto* ignored = event.if_contains("ignored"); ignored && ignored->is_array() && !ignored->get_array().empty())
      out += fmt::format("{} {} {}:{} does not know these members, they were ignored: {}\n", time, paint("33", "warning"),
                         text(event, "service"), text(event, "operation"), printable(text(event, "ignored")));
    if (const auto* warnings = event.if_contains("warnings"); warnings && warnings->is_array())
      for (const auto& warning : warnings->get_array())
        out += fmt::format("{} {} {}: {}\n", time, paint("33", "warning"), text(event, "service"), printable(std::string(warning.as_string())));
    return out;
  }
  if (type == "log") {
    const std::string line = text(event, "line");
    if (line.starts_with("START RequestId") || line.starts_with("END RequestId") || line.starts_with("REPORT RequestId")) return {};
    return fmt::format("             {} {}\n", paint("36", text(event, "source")), printable(line));
  }
  if (type == "deployment") {
    const std::string status = text(event, "status");
    return fmt::format("{} {} {} {} {}\n", time, paint(status == "failed" ? "31" : "1", "stack " + status), text(event, "stack"),
                       duration(event), printable(text(event, "message")));
  }
  if (type == "resource") {
    const std::string reason = text(event, "reason");
    return reason.empty() ? std::string{} : fmt::format("{} {} {} {}: {}\n", time, text(event, "status"), text(event, "logicalId"),
                                                        text(event, "resourceType"), printable(reason));
  }
  if (type == "warning" || type == "error") {
    const std::string file = text(event, "file");
    const std::string where = file.empty() ? "" : fmt::format("{}:{}: ", file, text(event, "line"));
    return fmt::format("{} {} {}{}\n", time, paint(type == "error" ? "31" : "33", type), where, text(event, "message"));
  }
  return {};
}

}  // namespace parvis::platform
