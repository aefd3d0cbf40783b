#include "services/cloudformation/request.h"

#include <algorithm>
#include <set>

#include <boost/url.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <re2/re2.h>

#include "templates/includes.h"
#include "templates/sam/transform.h"

namespace parvis::cloudformation {
namespace {

constexpr aws::ErrorSpec kValidationError{"ValidationError"};

const json::object* section(const templates::Document& document, std::string_view name) {
  const json::value* found = document.root.is_object() ? document.root.as_object().if_contains(name) : nullptr;
  return found != nullptr && found->is_object() ? &found->as_object() : nullptr;
}

void check_names(const templates::Document& document, const std::map<std::string, json::value>& given) {
  static const json::object kNone;
  const json::object* declared = section(document, "Parameters");
  if (declared == nullptr) declared = &kNone;
  std::vector<std::string> unknown, missing;
  for (const auto& [name, value] : given) if (!declared->contains(name)) unknown.push_back(name);
  if (!unknown.empty()) refuse(fmt::format("Parameters: [{}] do not exist in the template", fmt::join(unknown, ", ")));
  for (const auto& [name, definition] : *declared) {
    const bool has_default = definition.is_object() && definition.as_object().contains("Default");
    if (!has_default && !given.contains(std::string(name))) missing.emplace_back(name);
  }
  if (!missing.empty()) refuse(fmt::format("Parameters: [{}] must have values", fmt::join(missing, ", ")));
}

}  // namespace

void refuse(std::string message) { throw aws::ApiError(kValidationError, std::move(message)); }
void refuse(const std::vector<templates::Diagnostic>& errors) {
  std::string text;
  for (const auto& error : errors) text += (text.empty() ? "" : "\n") + error.str();
  refuse(std::move(text));
}

void check_stack_name(const std::string& name) {
  static const re2::RE2 kName("[a-zA-Z][-a-zA-Z0-9]*");
  if (re2::RE2::FullMatch(name, kName) && name.size() <= 128) return;
  if (name.size() > 128) {
    refuse(fmt::format("1 validation error detected: Value '{}' at 'stackName' failed to satisfy constraint: Member must have length less than or equal to 128", name));
  }
  refuse(fmt::format("1 validation error detected: Value '{}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", name));
}

S3Place place_of(const std::string& url) {
  static constexpr std::string_view kWrong = "TemplateURL must be a supported URL.";  // AWS's words
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed || (parsed->scheme() != "http" && parsed->scheme() != "https")) refuse(std::string(kWrong));
  const std::string host = parsed->host();
  std::string path = parsed->path();
  if (path.starts_with('/')) path.erase(0, 1);
  S3Place out;
  for (const auto& query : parsed->params()) if (query.key == "versionId") out.version = query.value;
  // "bucket.s3.…" or "bucket.s3-region.…"; otherwise the bucket is the first step of the path.
  static const re2::RE2 kBucketHost("(.+)\\.s3[.-].+");
  static const re2::RE2 kLocalBucket("(.+)\\.localhost");
  if (re2::RE2::FullMatch(host, kBucketHost, &out.bucket) || (!host.starts_with("s3.") && re2::RE2::FullMatch(host, kLocalBucket, &out.bucket))) {
    out.key = path;
  } else {
    const std::size_t slash = path.find('/');
    if (slash == path.npos) refuse(std::string(kWrong));
    out.bucket = path.substr(0, slash);
    out.key = path.substr(slash + 1);
  }
  if (out.bucket.empty() || out.key.empty()) refuse(std::string(kWrong));
  return out;
}

templates::Document parse_template(const std::string& text) {
  auto document = templates::parse_document(text, "template");
  if (!document) refuse("Template format error: " + document.error().str());
  if (!document->root.is_object()) refuse("Template format error: unsupported structure.");
  if (section(*document, "Resources") == nullptr || section(*document, "Resources")->empty()) refuse("Template format error: At least one Resources member must be defined.");
  return std::move(*document);
}

std::vector<std::string> transforms_of(const templates::Document& document) {
  std::vector<std::string> out;
  const json::value* transform = document.root.as_object().if_contains("Transform");
  if (transform == nullptr) return out;
  if (transform->is_string()) out.emplace_back(transform->as_string());
  if (transform->is_array()) for (const auto& one : transform->as_array()) if (one.is_string()) out.emplace_back(one.as_string());
  return out;
}

Needed needed_capabilities(const templates::Document& document) {
  static const std::map<std::string_view, std::string_view> kNamed = {
      {"AWS::IAM::Role", "RoleName"}, {"AWS::IAM::User", "UserName"}, {"AWS::IAM::Group", "GroupName"}, {"AWS::IAM::ManagedPolicy", "ManagedPolicyName"},
      {"AWS::IAM::InstanceProfile", "InstanceProfileName"}, {"AWS::IAM::Policy", ""}, {"AWS::IAM::AccessKey", ""}, {"AWS::IAM::UserToGroupAddition", ""}};
  Needed out;
  bool named = false;
  std::set<std::string> types;
  for (const auto& [id, resource] : *section(document, "Resources")) {
    if (!resource.is_object()) continue;
    const json::value* type = resource.as_object().if_contains("Type");
    if (type == nullptr || !type->is_string()) continue;
    const auto found = kNamed.find(std::string_view(type->as_string()));
    if (found == kNamed.end()) continue;
    types.insert(std::string(type->as_string()));
    const json::value* properties = resource.as_object().if_contains("Properties");
    named = named || (!found->second.empty() && properties != nullptr && properties->is_object() && properties->as_object().contains(found->second));
  }
  out.types.assign(types.begin(), types.end());
  if (!types.empty()) out.capabilities.push_back(named ? "CAPABILITY_NAMED_IAM" : "CAPABILITY_IAM");
  return out;
}

Prepared prepare(std::string text, const Parameters& parameters, const PrepareOptions& options) {
  Prepared out;
  templates::Document document = parse_template(text);
  out.text = std::move(text);
  const auto read = [&](const std::string& location) -> std::expected<std::string, std::string> {
    const auto file = options.files.find(location);
    if (file == options.files.end()) return std::unexpected("it is not an object in S3: write s3://bucket/key");
    return file->second;
  };
  const bool includes = !options.files.empty();
  if (const auto errors = templates::include_files(document, read); !errors.empty()) refuse(errors);
  if (parameters) {
    for (const model::Parameter& parameter : *parameters) {
      const std::string name = parameter.parameter_key.value_or("");
      if (name.empty()) refuse("Parameters must have a ParameterKey");
      if (out.parameters.contains(name)) refuse(fmt::format("Parameters: [{}] are specified more than once", name));
      if (parameter.use_previous_value.value_or(false)) {
        if (parameter.parameter_value) refuse(fmt::format("Invalid input for parameter key {}. Cannot specify usePreviousValue as true and non empty value for a parameter", name));
        const json::value* before = options.previous != nullptr ? options.previous->if_contains(name) : nullptr;
        const json::object* declared = section(document, "Parameters");
        if (before != nullptr) out.parameters[name] = *before;
        else if (options.previous == nullptr || declared == nullptr || !declared->contains(name)) refuse(fmt::format("Invalid input for parameter key {}. Cannot specify usePreviousValue as true for a parameter key not in the previous template", name));
      } else {
        out.parameters[name] = json::string(parameter.parameter_value.value_or(""));
      }
    }
  }
  check_names(document, out.parameters);
  for (const auto& [name, value] : out.parameters) out.given[name] = value;
  const std::set<std::string> has(options.capabilities.begin(), options.capabilities.end());
  out.transformed = includes || templates::sam::uses_sam(document);
  for (const std::string& name : transforms_of(document)) {
    if (name == "AWS::Serverless-2016-10-31" || name == "AWS::LanguageExtensions") continue;
    refuse(fmt::format("No transform named {} found.", name));
  }
  if (options.expands_directly && (includes || !transforms_of(document).empty()) && !has.contains("CAPABILITY_AUTO_EXPAND")) {
    throw aws::ApiError(model::errors::kInsufficientCapabilitiesException, "Requires capabilities : [CAPABILITY_AUTO_EXPAND]");
  }
  auto processed = templates::sam::transform(document, {.region = options.region, .parameters = out.parameters});
  if (!processed) refuse(processed.error());
  out.processed = std::move(processed->document);
  for (const std::string& capability : needed_capabilities(out.processed).capabilities) {
    if (has.contains(capability) || has.contains("CAPABILITY_NAMED_IAM")) continue;
    throw aws::ApiError(model::errors::kInsufficientCapabilitiesException, fmt::format("Requires capabilities : [{}]", capability));
  }
  return out;
}

json::object details_of(const Prepared& prepared, const std::optional<std::vector<model::Tag>>& tags, const std::vector<std::string>& capabilities) {
  json::object out{{"template", prepared.text}, {"processed", prepared.transformed ? json::serialize(prepared.processed.root) : std::string()}, {"given", prepared.given}};
  const json::value* description = prepared.processed.root.as_object().if_contains("Description");
  out["description"] = description != nullptr ? templates::scalar_text(*description) : "";
  json::array pairs;
  if (tags) for (const model::Tag& tag : *tags) pairs.push_back(json::object{{"Key", tag.key.value_or("")}, {"Value", tag.value.value_or("")}});
  out["tags"] = std::move(pairs);
  json::array names;
  for (const std::string& capability : capabilities) names.push_back(json::string(capability));
  out["capabilities"] = std::move(names);
  return out;
}

json::object member_object(const json::object& from, std::string_view name) {
  const json::value* found = from.if_contains(name);
  return found != nullptr && found->is_object() ? found->as_object() : json::object();
}
std::string member_text(const json::object& from, std::string_view name) {
  const json::value* found = from.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

void check_updatable(const templates::Stack& stack) {
  static const std::set<std::string_view> kUpdatable = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"};
  if (!kUpdatable.contains(stack.status)) refuse(fmt::format("Stack:{} is in {} state and can not be updated.", stack.id, stack.status));
}

std::string previous_template(const templates::Stack& stack) {
  std::string text = member_text(stack.details, "template");
  if (text.empty()) refuse(fmt::format("Stack [{}] keeps no template: it was not deployed by API", stack.name));
  return text;
}

aws::Timestamp timestamp(Millis time) { return {static_cast<double>(time.time_since_epoch().count()) / 1000.0}; }

}  // namespace parvis::cloudformation
