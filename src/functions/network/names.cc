#include "functions/network/names.h"

#include <algorithm>

#include "core/ascii.h"

namespace parvis::network {
namespace {

bool is_in(std::string_view name, std::string_view domain) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() < domain.size()) return false;
  const std::string_view rest = name.substr(0, name.size() - domain.size()), end = name.substr(rest.size());
  return (rest.empty() || rest.ends_with('.')) && equal_no_case(end, domain);
}

}  // namespace

bool is_platform_name(std::string_view name) {
  return std::ranges::any_of(kPlatformDomains, [&](std::string_view domain) { return is_in(name, domain); });
}

bool is_local_name(std::string_view name) {
  if (is_in(name, "localhost")) return true;
  if (name.ends_with('.')) name.remove_suffix(1);
  constexpr std::string_view kHere = "127.0.0.1";
  return name.size() > kHere.size() && name.ends_with(kHere) && (name[name.size() - kHere.size() - 1] == '-' || name[name.size() - kHere.size() - 1] == '.');
}

}  // namespace parvis::network
