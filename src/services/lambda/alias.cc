#include "services/lambda/alias.h"

#include <algorithm>

#include <fmt/format.h>

#include "services/lambda/errors.h"

namespace parvis::lambda {

std::string to_json(const Alias& alias) {
  boost::json::object weights;
  for (const auto& [version, weight] : alias.weights) weights[version] = weight;
  return boost::json::serialize(boost::json::object{{"format", 1}, {"name", alias.name}, {"version", alias.version},
      {"description", alias.description}, {"revision", alias.revision_id}, {"weights", std::move(weights)}});
}

std::optional<Alias> parse_alias(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  const auto text = [&](std::string_view key) { return std::string(o.at(key).as_string()); };
  if (o.at("format").as_int64() != 1) return std::nullopt;
  Alias alias{text("name"), text("version"), text("description"), text("revision"), {}};
  for (const auto& entry : o.at("weights").as_object()) alias.weights.emplace(entry.key(), entry.value().to_number<double>());
  return alias;
} catch (const std::exception&) {
  return std::nullopt;
}

void check_alias_name(std::string_view name) {
  const bool letters = std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
  if (letters && !is_version(name) && !name.empty()) return;
  throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'name' failed to satisfy constraint: Member must "
      "satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)", name));
}

const std::string& choose_version(const Alias& alias, Entropy& entropy) {
  if (alias.weights.empty()) return alias.version;
  double left = static_cast<double>(entropy.next_u64() % 1'000'000) / 1'000'000;
  for (const auto& [version, weight] : alias.weights) {
    if (left < weight) return version;
    left -= weight;
  }
  return alias.version;
}

void check_weights(const Alias& alias) {
  if (alias.weights.size() > 1) {
    throw error(kInvalidParameterValue, "Number of items in AdditionalVersionWeights cannot be greater than 1");
  }
  for (const auto& [version, weight] : alias.weights) {
    const auto broken = [&](std::string_view what) {
      return error(kValidation, fmt::format("1 validation error detected: Value '{{{}={}}}' at 'routingConfig.additionalVersionWeights' "
          "failed to satisfy constraint: {}", version, weight, what));
    };
    if (!(weight >= 0 && weight <= 1)) {
      throw broken("Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value "
                   "greater than or equal to 0.0, Member must not be null]");
    }
    if (version == alias.version) {
      throw error(kInvalidParameterValue, fmt::format("Invalid function version {0}. Function version {0} is already included in "
          "routing configuration.", version));
    }
    if (alias.version == kLatest) {
      throw error(kInvalidParameterValue, "$LATEST is not supported for an alias pointing to more than 1 version");
    }
    if (!is_version(version)) {
      throw broken("Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length "
                   "greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]");
    }
  }
}

aws::model::lambda::AliasConfiguration describe_alias(const FunctionRecord& function, const Alias& alias) {
  aws::model::lambda::AliasConfiguration out;
  out.alias_arn = function.arn() + ":" + alias.name;
  out.name = alias.name;
  out.function_version = alias.version;
  out.description = alias.description;
  if (!alias.weights.empty()) {
    out.routing_config = aws::model::lambda::AliasRoutingConfiguration{};
    out.routing_config->additional_version_weights = alias.weights;
  }
  out.revision_id = alias.revision_id;
  return out;
}

}  // namespace parvis::lambda
