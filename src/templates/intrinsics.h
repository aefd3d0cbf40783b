// templates/intrinsics.h: parameters, mappings, conditions and intrinsic functions of one template.
//
// The transform keeps intrinsic functions; a deployment resolves them all, resource by resource, as the values become known.
// Limits: nesting as in document.h; 200 parameters, 500 resources; a value of 1 MiB. Not thread-safe; the document outlives it.
// Source: CloudFormation User Guide, "Intrinsic function reference", "Parameters", "AWS::LanguageExtensions transform".
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "templates/document.h"

namespace parvis::templates {

inline constexpr std::size_t kParametersMax = 200;
inline constexpr std::size_t kResourcesMax = 500;
inline constexpr std::size_t kResolvedBytesMax = 1u << 20;

struct Environment {  // what pseudo parameters give
  std::string account = "000000000000", region = "us-east-1", partition = "aws", url_suffix = "amazonaws.com";
  std::string stack_name, stack_id;
  std::vector<std::string> notification_arns;
  std::set<std::string> unknown;  // parameters and pseudo parameters without a value yet: a template that is only looked at
  std::map<std::string, std::string> fetched;  // values of the parameters of the types AWS::SSM::Parameter::…
};

// Values of what exists: the resources so far, and other stacks' exports. nullopt: there is none (yet).
struct Lookups {
  std::function<std::optional<json::value>(const std::string& logical_id)> ref;
  std::function<std::optional<json::value>(const std::string& logical_id, const std::string& attribute)> get_att;
  std::function<std::optional<std::string>(const std::string& name)> import;
};

class Evaluator {
 public:
  // Checks parameters, mappings and conditions. Values may be text or what YAML made of it.
  static std::expected<Evaluator, std::vector<Diagnostic>> make(const Document& document, Environment environment,
                                                               const std::map<std::string, json::value>& parameters);

  const json::object& parameters() const { return parameters_; }  // lists for List<…> and CommaDelimitedList
  const std::set<std::string>& no_echo() const { return no_echo_; }
  const std::map<std::string, std::string>& ssm_names() const { return ssm_names_; }  // of parameters whose value is fetched: what was given
  // The text without values of NoEcho parameters.
  std::string masked(std::string text) const;
  // False for a resource or output whose Condition does not hold.
  bool holds(const json::object& element) const;
  std::expected<bool, Diagnostic> condition(const std::string& name) const;

  // Resolves every intrinsic function in the value at `pointer`. A property that is AWS::NoValue disappears.
  std::expected<json::value, Diagnostic> resolve(const json::value& value, const std::string& pointer, const Lookups& lookups) const;

  // What resolve() would refuse in the value at `pointer`, whatever resources and exports turn out to be.
  std::vector<Diagnostic> probe(const json::value& value, const std::string& pointer) const;

  // Logical ids of the resources that have to exist, in an order in which each follows what it needs. Refuses cycles, names that
  // do not exist and too many resources.
  struct Graph {
    std::vector<std::string> order;
    std::map<std::string, std::set<std::string>> needs;
  };
  std::expected<Graph, std::vector<Diagnostic>> graph() const;

 private:
  friend class Resolution;
  std::vector<Diagnostic> broken_rules() const;
  std::vector<Diagnostic> unknown_conditions() const;
  const Document* document_ = nullptr;
  Environment environment_;
  json::object parameters_, mappings_;
  std::set<std::string> no_echo_;
  std::map<std::string, std::string> ssm_names_;
  bool extensions_ = false;  // AWS::LanguageExtensions
  mutable std::map<std::string, bool> conditions_;
};

}  // namespace parvis::templates
