#include <boost/algorithm/string/predicate.hpp>

#include "services/apigateway/events.h"

namespace parvis::apigateway {
namespace {

// Length of the valid UTF-8 sequence at the start of `text`; 0 when there is none. Source: RFC 3629.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(1) || !tail(2) || (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3) || (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
    return 4;
  }
  return 0;
}

std::string_view media_type(std::string_view header) {
  header = header.substr(0, header.find_first_of(";,"));
  while (!header.empty() && (header.front() == ' ' || header.front() == '\t')) header.remove_prefix(1);
  while (!header.empty() && (header.back() == ' ' || header.back() == '\t')) header.remove_suffix(1);
  return header;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string to_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) out += "\xEF\xBF\xBD";
    else out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_binary_type(const std::vector<std::string>& types, std::string_view header) {
  const std::string_view type = media_type(header);
  for (const std::string& each : types) {
    if (each == "*/*" || (!type.empty() && boost::iequals(each, type))) return true;
    // image/* names every image.
    if (each.ends_with("/*") && boost::istarts_with(type, std::string_view(each).substr(0, each.size() - 1))) return true;
  }
  return false;
}

bool is_text_type(std::string_view content_type) {
  const std::string type = to_lower(media_type(content_type));
  return type.starts_with("text/") || type == "application/json" || type == "application/xml" || type == "application/javascript";
}

std::string format_clf_time(Millis time) {
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000", static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string with_stage_variables(std::string text, const Stage& stage) {
  constexpr std::string_view kOpen = "${stageVariables.";
  std::size_t at = text.find(kOpen);
  while (at != std::string::npos) {
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) break;
    const auto found = stage.variables.find(text.substr(at + kOpen.size(), end - at - kOpen.size()));
    const std::string value = found == stage.variables.end() ? "" : found->second;
    text.replace(at, end + 1 - at, value);
    at = text.find(kOpen, at + value.size());
  }
  return text;
}

}  // namespace parvis::apigateway
