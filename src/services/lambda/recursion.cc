#include "services/lambda/recursion.h"

#include <charconv>
#include <utility>
#include <vector>

#include "core/hash.h"

namespace parvis::lambda {
namespace {

constexpr std::size_t kFunctionsMax = 8;

}  // namespace

Lineage extend_lineage(std::string_view text, std::string_view function_arn) {
  const Sha256Digest digest = sha256(function_arn);
  const std::string own = hex_encode(as_bytes(digest)).substr(0, 8);
  std::vector<std::pair<std::string, int>> chain;
  Lineage out;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find('|'));
    text.remove_prefix(std::min(entry.size() + 1, text.size()));
    const std::size_t colon = entry.rfind(':');
    int calls = 0;
    if (colon != 8) continue;
    const char* end = entry.data() + entry.size();
    if (const auto [at, failed] = std::from_chars(entry.data() + colon + 1, end, calls); failed != std::errc{} || at != end || calls < 0) continue;
    if (entry.substr(0, colon) == own) out.calls = std::min(calls, 1'000'000) + 1;
    else chain.emplace_back(entry.substr(0, colon), calls);
  }
  chain.emplace_back(own, out.calls);
  if (chain.size() > kFunctionsMax) chain.erase(chain.begin(), chain.end() - kFunctionsMax);
  for (const auto& [hash, calls] : chain) {
    if (!out.text.empty()) out.text += '|';
    out.text += hash + ":" + std::to_string(calls);
  }
  return out;
}

}  // namespace parvis::lambda
