#include <regex>

#include "core/ascii.h"

#include "templates/sam/context.h"

namespace parvis::templates::sam {

namespace {
constexpr const char* kIntegration = "x-amazon-apigateway-integration";

Py no_value() {
  PyDict out(true);
  out.set({"Ref", false}, Py("AWS::NoValue"));
  return Py(std::move(out));
}
}  // namespace

Py skeleton(bool http) {
  PyDict out, info, title(true), paths;
  title.set({"Ref", false}, Py("AWS::StackName"));
  out.set({http ? "openapi" : "swagger", false}, Py(http ? "3.0.1" : "2.0"));
  info.set({"version", false}, Py("1.0"));
  info.set({"title", false}, Py(std::move(title)));
  out.set({"info", false}, Py(std::move(info)));
  out.set({"paths", false}, Py(std::move(paths)));
  return Py(std::move(out));
}

bool valid_definition(const Py& definition, bool http) {
  static const std::regex kVersion3("3(\\.\\d)(\\.\\d)?");
  const Py* paths = definition.find("paths");
  if (paths == nullptr || paths->dict() == nullptr) return false;
  const Py* swagger = definition.find("swagger");
  if (!http && swagger != nullptr && swagger->truthy()) return true;
  const Py* openapi = definition.find("openapi");
  if (openapi == nullptr || !openapi->truthy()) return false;
  const std::string version = openapi->text() != nullptr ? openapi->text()->text : openapi->repr();
  return std::regex_match(version, kVersion3);
}

std::string normalized_method(std::string_view method) {
  const std::string out = to_lower(method);
  return out == "any" ? std::string(kAnyMethod) : out;
}

std::vector<Py*> conditional_contents(Py& item) {
  Py* branches = item.find("Fn::If");
  if (branches == nullptr || branches->list() == nullptr) return {&item};
  std::vector<Py*> out;
  for (std::size_t i = 1; i < branches->list()->size(); ++i) {
    Py& branch = (*branches->list())[i];
    const Py* target = branch.find("Ref");
    if (target != nullptr && target->text() != nullptr && target->text()->text == "AWS::NoValue") continue;
    out.push_back(&branch);
  }
  return out;
}

Py conditional(const PyText& condition, Py value) {
  PyDict out(true);
  out.set({"Fn::If", false}, Py(Py::List{Py(condition), std::move(value), no_value()}));
  return Py(std::move(out));
}

bool has_integration(Py& definition, std::string_view path, std::string_view method) {
  Py* item = definition.find("paths")->find(path);
  if (item == nullptr) return false;
  const std::string name = normalized_method(method);
  for (Py* content : conditional_contents(*item)) {
    Py* found = content->find(name);
    if (found == nullptr) return false;
    bool any = false;
    for (Py* method_definition : conditional_contents(*found)) {
      const Py* integration = method_definition->find(kIntegration);
      any = any || (integration != nullptr && integration->truthy());
    }
    if (!any) return false;
  }
  return true;
}

void add_path(Py& definition, const PyText& path, const PyText& method) {
  PyDict& paths = *definition.find("paths")->dict();
  if (paths.find(path.text) == nullptr) paths.set(path, Py(PyDict()));
  const std::string name = normalized_method(method.text);
  for (Py* item : conditional_contents(*paths.find(path.text))) {
    if (item->dict() != nullptr && item->find(name) == nullptr) item->dict()->set({name, method.marked && name != kAnyMethod}, Py(PyDict()));
  }
}

void add_integration(Py& definition, const PyText& path, const PyText& method, const PyText& uri, const std::optional<std::string>& condition, bool http) {
  add_path(definition, path, method);
  const std::string name = normalized_method(method.text);
  for (Py* item : conditional_contents(*definition.find("paths")->find(path.text))) {
    Py& target = *item->find(name);
    if (target.dict() == nullptr) target = Py(PyDict());
    PyDict sub_uri(true);
    sub_uri.set({"Fn::Sub", false}, Py(uri));
    PyDict integration;
    integration.set({"type", false}, Py("aws_proxy"));
    integration.set({"httpMethod", false}, Py("POST"));
    if (http) integration.set({"payloadFormatVersion", false}, Py("2.0"));
    integration.set({"uri", false}, condition ? conditional({*condition, true}, Py(std::move(sub_uri))) : Py(std::move(sub_uri)));
    target.dict()->set({kIntegration, false}, Py(std::move(integration)));
    if (http && path.text == "$default" && name == kAnyMethod) target.dict()->set({"isDefaultRoute", false}, Py::scalar(true));
    if (target.find("responses") == nullptr) target.dict()->set({"responses", false}, Py(PyDict()));
    if (condition) {
      Py inner = std::move(target);
      target = conditional({*condition, true}, std::move(inner));
    }
  }
}

std::vector<Py*> integrated_methods(Py& definition, std::string_view path, std::string_view method) {
  std::vector<Py*> out;
  Py* item = definition.find("paths")->find(path);
  if (item == nullptr) return out;
  for (Py* content : conditional_contents(*item)) {
    Py* found = content->find(normalized_method(method));
    if (found == nullptr) continue;
    for (Py* method_definition : conditional_contents(*found)) {
      if (method_definition->find(kIntegration) != nullptr) out.push_back(method_definition);
    }
  }
  return out;
}

}  // namespace parvis::templates::sam
