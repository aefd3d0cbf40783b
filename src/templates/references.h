// templates/references.h: values that a template takes from Parameter Store: parameters of the types AWS::SSM::Parameter::… and dynamic
// references, {{resolve:ssm:name}} and {{resolve:ssm:name:version}}, in properties and outputs.
//
// Both are fetched at each deployment, and what was fetched is what the stack keeps. Secure strings are refused: the only properties
// that AWS lets take {{resolve:ssm-secure:…}} belong to resource types that are not offered here.
// Source: CloudFormation User Guide, "Dynamic references" and "SSM parameter types".
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "templates/document.h"

namespace parvis::templates {

inline constexpr std::size_t kReferencesMax = 60;  // in one template

// Type "AWS::SSM::Parameter::Name" or "AWS::SSM::Parameter::Value<…>".
bool is_ssm_type(std::string_view type);
// The type between the brackets; empty when it is none that CloudFormation knows.
std::string ssm_value_type(std::string_view type);

// References that no deployment here can take, with their places: ssm-secure, secretsmanager and unknown services.
std::vector<Diagnostic> refused_references(const Document& document);

class References {  // one deployment; `api` outlives it. Without an api every fetch fails.
 public:
  References(aws::ApiClient* api, aws::CallContext call) : api_(api), call_(std::move(call)) {}
  // Values of the template's SSM parameters, by their logical ids. `given` has names of parameters of the store.
  awaitable<std::expected<std::map<std::string, std::string>, std::vector<Diagnostic>>> parameters(const Document& document, std::map<std::string, json::value> given);
  // Replaces the dynamic references in a value without intrinsic functions. What is wrong, if anything.
  awaitable<std::optional<std::string>> resolve(json::value& value);

 private:
  struct Fetched {
    std::string value, failure;
  };
  awaitable<Fetched> fetch(std::string name);

  aws::ApiClient* api_;
  aws::CallContext call_;
  std::map<std::string, Fetched> known_;
};

}  // namespace parvis::templates
