#include "services/ssm/parameter_name.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "core/ascii.h"
#include "services/ssm/errors.h"

namespace parvis::ssm {
namespace {

constexpr std::size_t kArnLengthMax = 1011;
constexpr std::ptrdiff_t kLevelsMax = 15;

bool name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}
aws::ApiError invalid(std::string message) { return {kValidation, std::move(message)}; }

void check_levels(const std::string& name) {
  const auto levels = std::ranges::count(name, '/') + (name.starts_with('/') ? 0 : 1);
  if (levels > kLevelsMax) {
    throw aws::ApiError(errors::kHierarchyLevelLimitExceededException,
        fmt::format("A parameter hierarchy can have a maximum of {} levels. The name has {}.", kLevelsMax, levels));
  }
}

}  // namespace

void check_new_name(const aws::Scope& scope, const std::string& name) {
  const std::string small = to_lower(name);
  const bool path = name.find('/', 1) != std::string::npos;
  if (path && small.starts_with("/aws")) throw aws::ApiError(kAccessDenied, fmt::format("No access to reserved parameter name: {}.", name));
  const auto bad = [&] {
    return invalid(path ? "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided "
                          "by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"
                        : "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). Only a mix of letters, numbers and the "
                          "following 3 symbols .-_ are allowed.");
  };
  const std::string_view bare = std::string_view(small).substr(small.starts_with('/') ? 1 : 0);
  if (bare.starts_with("aws") || bare.starts_with("ssm") || bare.empty()) throw bad();
  if (name.ends_with('/')) throw invalid("Parameter name must not end with slash.");
  if (path && !name.starts_with('/')) throw invalid("Parameter name must be a fully qualified name.");
  if (name.find("//") != std::string::npos) throw bad();
  if (!std::ranges::all_of(name, [](char c) { return name_letter(c) || c == '/'; })) throw bad();
  check_levels(name);
  if (parameter_arn(scope, name).size() > kArnLengthMax) {
    throw invalid(fmt::format("Parameter name is too long: with the rest of its ARN it must not exceed {} characters.", kArnLengthMax));
  }
}

void check_path(const std::string& path) {
  if (!path.starts_with('/') || path.find("//") != std::string::npos ||
      !std::ranges::all_of(path, [](char c) { return name_letter(c) || c == '/'; })) {
    throw invalid("The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be "
                  "prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - "
                  "(hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". "
                  "Valid example: /get/parameters2-/by1./path0_.");
  }
  check_levels(path);
}

std::string parameter_arn(const aws::Scope& scope, const std::string& name) {
  return fmt::format("arn:aws:ssm:{}:{}:parameter{}{}", scope.region, scope.account, name.starts_with('/') ? "" : "/", name);
}

std::optional<std::uint64_t> Reference::version() const {
  std::uint64_t out = 0;
  const char* end = selector.data() + selector.size();
  const auto [at, failed] = std::from_chars(selector.data(), end, out);
  if (failed != std::errc{} || at != end) return std::nullopt;
  return out;
}

Reference parse_reference(const aws::Scope& scope, std::string_view text) {
  Reference out;
  if (text.starts_with("arn:")) {
    const std::string prefix = fmt::format("arn:aws:ssm:{}:{}:parameter/", scope.region, scope.account);
    if (!text.starts_with(prefix)) {
      throw invalid(fmt::format("{} is not the ARN of a parameter of this account and Region.", text));
    }
    text.remove_prefix(prefix.size() - 1);
    out.from_arn = true;
  }
  const std::size_t colon = text.find(':');
  out.name = text.substr(0, colon);
  if (colon != std::string_view::npos) {
    out.selector = text.substr(colon + 1);
    if (out.selector.empty() || out.selector.find(':') != std::string::npos) {
      throw invalid(fmt::format("{} is not a name with a version or a label.", text));
    }
  }
  if (out.name.empty() || out.name == "/") throw invalid("The parameter has no name.");
  return out;
}

bool valid_label(std::string_view label) {
  const std::string small = to_lower(label);
  return !label.empty() && label.size() <= 100 && !(label[0] >= '0' && label[0] <= '9') && !small.starts_with("aws") &&
         !small.starts_with("ssm") && std::ranges::all_of(label, name_letter);
}

}  // namespace parvis::ssm
