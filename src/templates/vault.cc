#include "templates/vault.h"

namespace parvis::templates {

std::string Vault::close(const json::object& record, std::string_view stored_under) const {
  std::string text = json::serialize(record);
  return key != nullptr ? key->seal(text, stored_under, entropy) : text;
}

std::optional<json::object> Vault::open(std::string_view bytes, std::string_view stored_under) const {
  std::optional<std::string> opened;
  if (!bytes.starts_with('{')) {
    opened = key != nullptr ? key->open(bytes, stored_under) : std::nullopt;
    if (!opened) return std::nullopt;
    bytes = *opened;
  }
  json::error_code error;
  json::value parsed = json::parse(bytes, error);
  if (error || !parsed.is_object()) return std::nullopt;
  return std::move(parsed.as_object());
}

}  // namespace parvis::templates
