// apigateway/paging.h: pages of lists that are sorted by a key. A position is the key of the last entry shown, so that a page
// goes on rightly when entries come and go in between.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/hash.h"
#include "services/apigateway/errors.h"

namespace parvis::apigateway {

inline constexpr std::size_t kPageMax = 500;

// Sorts `items` by `key` and leaves the page behind `position`; returns the next position. `name` is the member's, for its error.
template <class T, class Key>
std::optional<std::string> cut_page(std::vector<T>& items, const std::optional<std::string>& position, std::string_view name, std::size_t limit, Key key) {
  std::ranges::sort(items, {}, key);
  if (position) {
    const auto after = base64url_decode(*position);
    if (!after || after->empty()) throw aws::ApiError(kBadRequest, fmt::format("Invalid {} specified", name));
    items.erase(items.begin(), std::ranges::upper_bound(items, *after, {}, key));
  }
  if (items.size() <= limit) return std::nullopt;
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(limit), items.end());
  return base64url_encode(key(items.back()));
}

}  // namespace parvis::apigateway
