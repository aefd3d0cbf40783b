// functions/log_format.h: logs as JSON: which lines are kept, and what the platform itself writes. Pure.
// Sources: Lambda Developer Guide, "Configuring JSON and plain text log formats", "Log-level filtering" (with the table of system
// events and their levels), "Lambda Telemetry API Event schema reference".
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/clock.h"

namespace parvis::functions {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError, kFatal };
// "TRACE" to "FATAL", and what loggers call the same ("warning", "critical"), in any case.
inline std::optional<LogLevel> parse_log_level(std::string_view text) {
  constexpr std::pair<std::string_view, LogLevel> kNames[] = {{"TRACE", LogLevel::kTrace}, {"DEBUG", LogLevel::kDebug}, {"INFO", LogLevel::kInfo}, {"WARN", LogLevel::kWarn},
                                                              {"WARNING", LogLevel::kWarn}, {"ERROR", LogLevel::kError}, {"FATAL", LogLevel::kFatal}, {"CRITICAL", LogLevel::kFatal}};
  for (const auto& [name, level] : kNames) {
    if (std::ranges::equal(text, name, [](char a, char b) { return (a & ~0x20) == b; })) return level;
  }
  return std::nullopt;
}

struct LogSettings {
  bool json = false;  // false: text, and nothing is filtered
  LogLevel application = LogLevel::kInfo, system = LogLevel::kInfo;
};

// Of a line that a function printed: its member "level" when it is a JSON object with one, else kInfo.
LogLevel level_of_line(std::string_view line);

struct Report;
// One JSON line each, without a line end. Empty: below the level of `settings`.
std::string init_start_record(const LogSettings& settings, Millis now, std::string_view runtime, std::string_view function, std::string_view version);
std::string start_record(const LogSettings& settings, Millis now, std::string_view request_id, std::string_view version);
std::string runtime_done_record(const LogSettings& settings, Millis now, std::string_view request_id, const Report& report);
std::string report_record(const LogSettings& settings, Millis now, std::string_view request_id, const Report& report);

}  // namespace parvis::functions
