#include "functions/log_format.h"

#include <cmath>

#include <boost/json.hpp>

#include "core/time_format.h"
#include "functions/messages.h"

namespace parvis::functions {
namespace {

double milliseconds(std::chrono::microseconds time) { return std::round(static_cast<double>(time.count()) / 10) / 100; }

std::string record(const LogSettings& settings, LogLevel level, Millis now, std::string_view type, boost::json::object what) {
  if (level < settings.system) return {};
  return boost::json::serialize(boost::json::object{{"time", format_iso8601(now)}, {"type", type}, {"record", std::move(what)}});
}

void add_status(boost::json::object& out, const Report& report) {
  out["status"] = report.status.empty() ? std::string_view("success") : report.status;
  if (!report.error_type.empty()) out["errorType"] = report.error_type;
}

}  // namespace

LogLevel level_of_line(std::string_view line) {
  if (!line.starts_with('{')) return LogLevel::kInfo;
  boost::system::error_code error;
  const auto value = boost::json::parse(line, error);
  if (error || !value.is_object()) return LogLevel::kInfo;
  const auto* level = value.get_object().if_contains("level");
  return level != nullptr && level->is_string() ? parse_log_level(level->get_string()).value_or(LogLevel::kInfo) : LogLevel::kInfo;
}

std::string init_start_record(const LogSettings& settings, Millis now, std::string_view runtime, std::string_view function, std::string_view version) {
  return record(settings, LogLevel::kInfo, now, "platform.initStart",
                {{"initializationType", "on-demand"}, {"phase", "init"}, {"runtimeVersion", runtime}, {"functionName", function}, {"functionVersion", version}});
}

std::string start_record(const LogSettings& settings, Millis now, std::string_view request_id, std::string_view version) {
  return record(settings, LogLevel::kInfo, now, "platform.start", {{"requestId", request_id}, {"version", version}});
}

std::string runtime_done_record(const LogSettings& settings, Millis now, std::string_view request_id, const Report& report) {
  boost::json::object what{{"requestId", request_id}};
  add_status(what, report);
  what["metrics"] = boost::json::object{{"durationMs", milliseconds(report.duration)}};
  return record(settings, report.status.empty() ? LogLevel::kDebug : LogLevel::kWarn, now, "platform.runtimeDone", std::move(what));
}

std::string report_record(const LogSettings& settings, Millis now, std::string_view request_id, const Report& report) {
  boost::json::object metrics{{"durationMs", milliseconds(report.duration)}, {"billedDurationMs", billed_ms(report)}, {"memorySizeMB", report.memory_mb},
                              {"maxMemoryUsedMB", report.memory_peak_bytes >> 20}};
  if (report.cold) metrics["initDurationMs"] = milliseconds(report.init);
  boost::json::object what{{"requestId", request_id}, {"metrics", std::move(metrics)}};
  add_status(what, report);
  return record(settings, report.status.empty() ? LogLevel::kInfo : LogLevel::kWarn, now, "platform.report", std::move(what));
}

}  // namespace parvis::functions
