// templates/vault.h: how records that may hold secrets (values of NoEcho parameters, properties made of them) are kept: sealed, with the
// record's own key as context. Without a seal key, and as older versions wrote them, they are JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/entropy.h"
#include "core/seal.h"
#include "storage/store.h"
#include "templates/document.h"

namespace parvis::templates {

struct Vault {  // all outlive it
  storage::Store& store;
  Entropy& entropy;
  const SealKey* key = nullptr;

  std::string close(const json::object& record, std::string_view stored_under) const;
  std::optional<json::object> open(std::string_view bytes, std::string_view stored_under) const;  // nullopt: it cannot be read
};

}  // namespace parvis::templates
