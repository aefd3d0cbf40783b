#include "cli/template_commands.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <boost/json/serialize.hpp>

#include "platform/project.h"
#include "platform/resource_types.h"
#include "templates/document.h"
#include "templates/includes.h"
#include "templates/intrinsics.h"
#include "templates/property_check.h"
#include "templates/sam/transform.h"

namespace parvis::cli {
namespace {

using templates::Diagnostic;

std::expected<templates::sam::TransformResult, std::vector<Diagnostic>> load(const std::string& given, const std::string& region) {
  std::error_code ignored;
  std::string file = given;
  if (std::filesystem::is_directory(given, ignored)) {
    const auto found = platform::find_template(given);
    if (!found) return std::unexpected(std::vector{Diagnostic{.what = found.error()}});
    file = found->string();
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::unexpected(std::vector{Diagnostic{.file = file, .what = "the file cannot be read", .hint = "check its name"}});
  auto document = templates::parse_document(std::string(std::istreambuf_iterator<char>(in), {}), file);
  if (!document) return std::unexpected(std::vector{document.error()});
  if (auto errors = templates::include_files(*document, templates::local_reader(*document)); !errors.empty()) return std::unexpected(std::move(errors));
  return templates::sam::transform(*document, {.region = region, .local_code = true});
}

// Parameters that a deployment must be given have no value yet: a stand-in of their type lets the rest be checked. `unknown` takes their names.
templates::Document with_parameters(templates::Document document, std::set<std::string>& unknown) {
  auto* parameters = document.root.is_object() ? document.root.get_object().if_contains("Parameters") : nullptr;
  if (!parameters || !parameters->is_object()) return document;
  for (auto& [name, parameter] : parameters->get_object()) {
    if (!parameter.is_object()) continue;
    auto& rules = parameter.get_object();
    const auto* type = rules.if_contains("Type");
    if (!type || !type->is_string()) continue;
    if (type->get_string().starts_with("AWS::SSM::Parameter::Value")) unknown.insert(std::string(name));
    if (rules.contains("Default")) continue;
    unknown.insert(std::string(name));
    const bool number = type->get_string().find("Number") != type->get_string().npos;
    for (const char* constraint : {"AllowedPattern", "AllowedValues", "MaxLength", "MaxValue", "MinLength", "MinValue"}) rules.erase(constraint);
    rules["Default"] = number ? "0" : "x";
  }
  return document;
}

int report(const std::vector<Diagnostic>& errors) {
  for (const Diagnostic& error : errors) std::fprintf(stderr, "%s\n", error.str().c_str());
  return 1;
}

}  // namespace

int validate_template(const std::string& file, const std::string& region) {
  const auto loaded = load(file, region);
  if (!loaded) return report(loaded.error());
  templates::Environment environment;
  environment.unknown = {"AWS::AccountId", "AWS::NotificationARNs", "AWS::StackId", "AWS::StackName"};
  const templates::Document document = with_parameters(loaded->document, environment.unknown);
  environment.region = region;
  const auto evaluator = templates::Evaluator::make(document, environment, {});
  if (!evaluator) return report(evaluator.error());
  if (const auto graph = evaluator->graph(); !graph) return report(graph.error());
  std::vector<Diagnostic> warnings;
  const std::vector<Diagnostic> errors = templates::check_resources(platform::described_resource_types(), document, *evaluator, warnings);
  report(warnings);
  if (!errors.empty()) return report(errors);
  std::printf("%s is a valid template\n", document.file.c_str());
  return 0;
}

int transform_template(const std::string& file, const std::string& region) {
  const auto loaded = load(file, region);
  if (!loaded) return report(loaded.error());
  std::printf("%s\n", boost::json::serialize(loaded->document.root).c_str());
  return 0;
}

}  // namespace parvis::cli
