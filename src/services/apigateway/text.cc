#include <boost/algorithm/string/predicate.hpp>

#include "services/apigateway/events.h"

namespace parvis::apigateway {
bool is_binary_type(const std::vector<std::string>& types, std::string_view header) {
  const std::string_view type = aws::media_type(header);
  for (const std::string& each : types) {
    if (each == "*/*" || (!type.empty() && boost::iequals(each, type))) return true;
    // image/* names every image.
    if (each.ends_with("/*") && boost::istarts_with(type, std::string_view(each).substr(0, each.size() - 1))) return true;
  }
  return false;
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
