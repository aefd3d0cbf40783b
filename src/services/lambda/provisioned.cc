#include "services/lambda/provisioned.h"

#include <algorithm>
#include <cmath>

#include "services/lambda/errors.h"

namespace parvis::lambda {
namespace {

unsigned share_of(int count, double weight) { return static_cast<unsigned>(std::ceil(count * weight - 1e-9)); }

const aws::ApiError& unpublished() {
  static const aws::ApiError thrown = error(kInvalidParameterValue, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
  return thrown;
}

}  // namespace

std::string to_json(const ProvisionedConfig& c) {
  return boost::json::serialize(boost::json::object{{"format", 1}, {"count", c.count}, {"modified", c.modified.time_since_epoch().count()}});
}

std::optional<ProvisionedConfig> parse_provisioned(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  if (o.at("format").as_int64() != 1) return std::nullopt;
  return ProvisionedConfig{o.at("count").to_number<int>(), Millis{std::chrono::milliseconds{o.at("modified").as_int64()}}};
} catch (const std::exception&) {
  return std::nullopt;
}

int Provisioning::total() const {
  int sum = 0;
  for (const auto& [qualifier, config] : configs) sum += config.count;
  return sum;
}

std::map<std::string, unsigned> Provisioning::shares(const std::string& qualifier) const {
  const auto config = configs.find(qualifier);
  if (config == configs.end()) return {};
  if (is_version(qualifier)) return {{qualifier, static_cast<unsigned>(config->second.count)}};
  const auto alias = aliases.find(qualifier);
  if (alias == aliases.end()) return {};
  std::map<std::string, unsigned> out;
  double left = 1;
  for (const auto& [version, weight] : alias->second.weights) {
    out[version] += share_of(config->second.count, weight);
    left -= weight;
  }
  out[alias->second.version] += share_of(config->second.count, std::max(left, 0.0));
  out.erase(std::string(kLatest));
  return out;
}

std::map<std::string, unsigned> Provisioning::wanted() const {
  std::map<std::string, unsigned> out;
  for (const auto& [qualifier, config] : configs) {
    for (const auto& [version, count] : shares(qualifier)) out[version] += count;
  }
  return out;
}

void Provisioning::check_version(const std::string& number) const {
  for (const auto& [name, alias] : aliases) {
    if (configs.contains(name) && (alias.version == number || alias.weights.contains(number))) {
      throw error(kResourceConflict, "Version is pointed by a Provisioned Concurrency alias");
    }
  }
}

void Provisioning::check_alias(const Alias& alias, bool new_config) const {
  if (alias.version == kLatest) throw unpublished();
  if (new_config && !alias.weights.empty()) throw error(kInvalidParameterValue, "Alias with weights can not be used with Provisioned Concurrency");
  std::vector<std::string> numbers{alias.version};
  for (const auto& [version, weight] : alias.weights) numbers.push_back(version);
  for (const std::string& number : numbers) {
    if (configs.contains(number)) {
      throw error(kResourceConflict, "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version");
    }
    for (const auto& [name, other] : aliases) {  // "Two aliases can't allocate provisioned concurrency for the same version"
      const bool same = other.version == number || other.weights.contains(number);
      if (name != alias.name && same && configs.contains(name)) throw error(kResourceConflict, "Version is pointed by a Provisioned Concurrency alias");
    }
  }
}

ProvisionedState provisioned_state(const std::map<std::string, unsigned>& shares, const std::map<std::string, functions::Engine::Kept>& kept) {
  ProvisionedState out{.allocated = 0, .status = "READY", .reason = {}};
  for (const auto& [version, share] : shares) {
    const auto found = kept.find(version);
    const functions::Engine::Kept there = found == kept.end() ? functions::Engine::Kept{} : found->second;
    out.allocated += static_cast<int>(std::min(there.ready, share));
    if (there.ready >= share) continue;
    if (out.status != "FAILED") out.status = there.failure.empty() ? "IN_PROGRESS" : "FAILED";
    if (out.reason.empty()) out.reason = there.failure;
  }
  return out;
}

}  // namespace parvis::lambda
