// lambda/provisioned.h: provisioned concurrency of a published version, or of an alias for the versions that it points to.
// Source: Lambda API Reference, PutProvisionedConcurrencyConfig; Developer Guide, "Configuring provisioned concurrency".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "functions/engine.h"
#include "services/lambda/alias.h"
#include "services/lambda/function.h"

namespace parvis::lambda {

struct ProvisionedConfig {
  int count = 0;
  Millis modified{};
};

std::string to_json(const ProvisionedConfig& config);
std::optional<ProvisionedConfig> parse_provisioned(std::string_view json);  // nullopt: not what to_json() writes, or a newer format

// Everything that decides on the provisioned concurrency of one function, by qualifier and by name.
struct Provisioning {
  std::map<std::string, ProvisionedConfig> configs;
  std::map<std::string, Alias> aliases;

  int total() const;
  // How many environments of which version the configuration of `qualifier` asks for: those of an alias with weights are shared
  // out by them, rounded up.
  std::map<std::string, unsigned> shares(const std::string& qualifier) const;
  std::map<std::string, unsigned> wanted() const;  // of all configurations
  // Throws InvalidParameterValueException ($LATEST, weights), ResourceConflictException (one version would be provisioned twice).
  // `alias`: as it is to be, when the configuration of an alias is made, or one that has a configuration changes.
  void check_version(const std::string& number) const;
  void check_alias(const Alias& alias, bool new_config) const;
};

struct ProvisionedState {
  int allocated = 0;
  std::string status, reason;  // READY, IN_PROGRESS, FAILED
};
// `kept`: what the engine has of each version.
ProvisionedState provisioned_state(const std::map<std::string, unsigned>& shares, const std::map<std::string, functions::Engine::Kept>& kept);

}  // namespace parvis::lambda
