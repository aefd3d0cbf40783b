// templates/sam/context.h: what the parts of the SAM transform share. Internal.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "templates/document.h"
#include "templates/sam/py27.h"
#include "templates/sam/transform.h"

namespace parvis::templates::sam {

inline constexpr std::string_view kFunction = "AWS::Serverless::Function";
inline constexpr std::string_view kApi = "AWS::Serverless::Api";
inline constexpr std::string_view kHttpApi = "AWS::Serverless::HttpApi";
inline constexpr std::string_view kSimpleTable = "AWS::Serverless::SimpleTable";
inline constexpr std::string_view kLayerVersion = "AWS::Serverless::LayerVersion";
inline constexpr std::string_view kAnyMethod = "x-amazon-apigateway-any-method";

struct Failed {  // thrown inside, collected per resource
  Diagnostic diagnostic;
};

struct ApiState {
  Py definition;  // DefinitionBody
  bool has_definition = false;
  bool managed = false;  // made here, not written by the user
  std::map<std::string, std::map<std::string, std::optional<std::string>>> conditions;  // path -> method -> Condition of the function
};

struct Context {
  Context(const Document& document, const TransformOptions& given) : source(document), options(given) {}
  const Document& source;
  const TransformOptions& options;
  json::object root;                     // the template, changed in place
  json::object output;                   // the resources that came out
  bool py27 = false;                     // the template has a REST API: the order of Python 2.7 matters
  PyKeys order;                          // of logical ids, when py27
  std::vector<std::string> plain_order;  // of logical ids, otherwise
  std::map<std::string, ApiState> apis;
  std::map<std::string, Py> events;      // of functions: only the order is read from here
  json::object parameters;               // values, with defaults
  std::map<std::string, std::string> refs;     // "Function.Alias" -> logical id
  std::map<std::string, std::string> changed;  // old logical id -> new one
  std::map<std::string, std::string> origins;
  std::map<std::string, std::string> places;   // generated logical id -> where in the source it comes from, when that is not all of a resource
  std::map<std::string, std::string> function_names;  // REST API -> names of its functions, for its hash
  std::string current;                   // the logical id that is being transformed

  json::object& resources() { return root["Resources"].as_object(); }
  json::object* resource(std::string_view id);
  json::object& properties(std::string_view id);  // made when absent
  std::vector<std::string> ids() const;
  void add_id(const std::string& id);
  void remove_id(const std::string& id);
  std::string pointer(std::string_view id, std::string_view property = {}) const;
  std::string partition() const;

  [[noreturn]] void fail(std::string_view pointer, std::string what, std::string hint = {}) const;
  json::value resolve(json::value value) const;  // Ref and Fn::Sub of known parameters
  // Adds a generated resource; two with one logical id are an error.
  json::object& add(const std::string& id, std::string_view type, json::object properties, const json::object& attributes);
};

// Attributes of a resource that its generated resources repeat, and those that its main resource has.
json::object passed_attributes(const json::object& resource);
json::object all_attributes(const json::object& resource);
json::array tag_list(const json::object& tags);

bool is_intrinsic(const json::value& value);
bool is_no_value(const json::value& value);
bool truthy(const json::value* value);
bool is_alnum(std::string_view text);
json::object make_ref(std::string_view id);
json::object get_att(std::string_view id, std::string_view attribute);
json::object sub(std::string text);
json::object sub(std::string text, json::object variables);
std::string py_dumps(const json::value& value);  // json.dumps(sort_keys=True, separators=(",", ":"))
std::string hashed_id(std::string prefix, std::string_view data);  // prefix + 10 characters of SHA-1; data empty: prefix
std::string sha1_hex(std::string_view data);

// globals.cc
void merge_globals(Context& context);
// implicit.cc: DefinitionBody of the APIs that have none, the paths of their events, the implicit APIs.
void prepare_apis(Context& context);
// policies.cc
json::value expand_policy_template(const Context& context, const json::value& policy, std::string_view pointer);
bool is_policy_template(const json::value& policy);
std::string managed_policy_arn(const Context& context, std::string_view name);
// function.cc, api.cc, http_api.cc, simple.cc: one resource each.
void transform_function(Context& context, const std::string& id);
void transform_api(Context& context, const std::string& id);
void transform_http_api(Context& context, const std::string& id);
void transform_simple_table(Context& context, const std::string& id);
void transform_layer(Context& context, const std::string& id);
// Refuses members of `value`, which stands at `pointer`, that are not in `known`; `what` names it in the message.
void check_members(const Context& context, const json::object& value, const std::string& pointer, std::string_view what, std::initializer_list<std::string_view> known);
// Refuses properties that are not in `known`.
void check_properties(const Context& context, const std::string& id, std::initializer_list<std::string_view> known);
json::value code_location(const Context& context, const json::value& uri, std::string_view pointer, std::string_view property);

// editor.cc: changes of an OpenAPI definition, as the translator's editors make them.
Py skeleton(bool http);
bool valid_definition(const Py& definition, bool http);
std::string normalized_method(std::string_view method);
bool has_integration(Py& definition, std::string_view path, std::string_view method);
void add_path(Py& definition, const PyText& path, const PyText& method);
void add_integration(Py& definition, const PyText& path, const PyText& method, const PyText& uri, const std::optional<std::string>& condition, bool http);
std::vector<Py*> conditional_contents(Py& item);
Py conditional(const PyText& condition, Py value);
// The method's definitions at a path that have an integration.
std::vector<Py*> integrated_methods(Py& definition, std::string_view path, std::string_view method);

}  // namespace parvis::templates::sam
