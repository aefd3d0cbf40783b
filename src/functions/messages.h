// functions/messages.h: the texts of Lambda's platform (START, END, REPORT, errors) and the frames to a worker. Pure.
// Sources: Lambda Developer Guide, "Viewing CloudWatch logs for Lambda functions" and "Lambda runtime API".
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "functions/engine.h"
#include "functions/process.h"

namespace parvis::functions {

inline constexpr std::size_t kResponseBytesMax = 6'291'556;             // 6 MB and 100 bytes
inline constexpr std::size_t kFrameBytesMax = kResponseBytesMax + 4096;  // from a worker; an error's stack fits too
inline constexpr std::size_t kFrameHeaderBytes = 6;                      // u32 body length, u8 type, u8 flags
inline constexpr unsigned kFlagLogged = 1, kFlagExiting = 2;

std::string frame(char type, std::string_view body, unsigned flags = 0);
std::string invoke_head(const Invocation& call, std::chrono::milliseconds timeout);  // the payload follows it

std::string error_payload(std::string_view type, std::string_view message);
std::string too_large_payload(std::size_t bytes_max);
std::string timeout_payload(const std::string& request_id, std::chrono::milliseconds timeout);
std::string exit_payload(const std::string& request_id, const ExitStatus& status);
std::string out_of_memory_payload(const std::string& request_id);
std::string stopping_payload();

std::string start_line(const std::string& request_id, const std::string& version);
std::string timeout_line(Millis now, const std::string& request_id, std::chrono::milliseconds timeout);
std::string end_line(const std::string& request_id);
struct Report {
  std::chrono::microseconds duration{0}, init{0};
  bool cold = false;
  unsigned memory_mb = 128;
  std::uint64_t memory_peak_bytes = 0;
  std::string_view status, error_type;  // "timeout"; "error" with a type; empty when the call went well
};
std::int64_t billed_ms(const Report& report);
std::string report_line(const std::string& request_id, const Report& report);

}  // namespace parvis::functions
