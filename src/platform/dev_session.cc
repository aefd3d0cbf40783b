#include "platform/dev_session.h"

#include <fmt/format.h>

#include "core/file.h"
#include "platform/env_file.h"
#include "templates/sam/transform.h"

namespace parvis::platform {
namespace fs = std::filesystem;
namespace {

// A stack name from a folder name: letters, digits and hyphens, a letter first, at most 64 characters.
std::string stack_name_of(const fs::path& folder) {
  std::string name;
  for (const char letter : folder.filename().string()) name += std::isalnum(static_cast<unsigned char>(letter)) ? letter : '-';
  if (name.empty() || !std::isalpha(static_cast<unsigned char>(name.front()))) name = "stack-" + name;
  return name.substr(0, 64);
}

}  // namespace

DevSession::DevSession(Platform& platform, Project project, DevOptions dev, Options options)
    : platform_(platform), project_(std::move(project)), dev_(std::move(dev)), options_(std::move(options)),
      stack_name_(stack_name_of(project_.folder)), bundler_(options_.tools_dir / "node_modules/@esbuild/linux-x64/bin/esbuild", options_.data_dir / "bundles") {
  if (options_.inspect.on) bundler_.for_debugging(options_.sandbox == Sandbox::kOff);
}

void DevSession::publish(const templates::Diagnostic& diagnostic) {
  const std::string text = diagnostic.hint.empty() ? diagnostic.what : diagnostic.what + "; " + diagnostic.hint;
  platform_.events().publish(diagnostic.severity == templates::Severity::kError ? "error" : "warning",
                             {{"message", text}, {"file", diagnostic.file}, {"line", diagnostic.position.line},
                              {"column", diagnostic.position.column}});
}

void DevSession::publish_warning(std::string message) { platform_.events().publish("warning", {{"message", std::move(message)}}); }

void DevSession::publish_error(std::string message) { platform_.events().publish("error", {{"message", std::move(message)}}); }

bool DevSession::deploy() {
  const auto start = std::chrono::steady_clock::now();
  platform_.events().publish("deployment", {{"stack", stack_name_}, {"status", "started"}});
  bool done = false;
  bundle_ms_ = 0;
  try {
    done = deploy_now();
  } catch (const std::exception& error) {
    publish_error(error.what());
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  platform_.events().publish("deployment", {{"stack", stack_name_}, {"status", done ? "done" : "failed"}, {"durationMs", took.count()}, {"bundleMs", bundle_ms_},
                                            {"message", done ? "" : what_now()}});
  served_ = served_ || done;
  return done;
}

std::string DevSession::what_now() const {
  const std::string serving = served_ ? "the last good version goes on serving" : "nothing is served yet";
  return fmt::format("{}; correct the error and {}", serving, dev_.watch ? "save" : "start again");
}

bool DevSession::deploy_now() {
  auto document = templates::parse_document(read_file(project_.template_file), project_.template_file.string());
  if (!document) return publish(document.error()), false;
  if (!dev_.env_file.empty()) {
    const auto file = read_env_file(dev_.env_file);
    inputs_.insert(dev_.env_file);
    if (!file) return publish(file.error()), false;
    for (auto& warning : apply_env_file(*file, *document)) publish_warning(std::move(warning));
  }
  BundledTemplate bundled = bundler_.bundle(std::move(*document));
  bundle_ms_ = std::chrono::duration<double, std::milli>(bundled.esbuild).count();
  inputs_.insert(bundled.inputs.begin(), bundled.inputs.end());
  for (const auto& warning : bundled.warnings) publish(warning);
  for (const auto& error : bundled.errors) publish(error);
  if (!bundled.ok()) return false;
  std::map<std::string, boost::json::value> parameters;
  for (const auto& [name, value] : dev_.parameters) parameters[name] = value;
  aws::CallContext call = platform_.context("template");
  auto transformed = templates::sam::transform(bundled.document, {.region = call.scope.region, .parameters = parameters});
  if (!transformed) {
    for (const auto& error : transformed.error()) publish(error);
    return false;
  }
  templates::DeployOptions deploying{.parameters = std::move(parameters), .keep_data = true, .on_event = [this](const templates::StackEvent& event) {
    platform_.events().publish("resource", {{"stack", stack_name_}, {"logicalId", event.logical_id}, {"resourceType", event.type},
                                            {"status", event.status}, {"reason", event.reason}});
  }};
  std::optional<templates::StackExpected<templates::DeployResult>> result;
  platform_.run([&]() -> awaitable<> {
    result = co_await platform_.stacks().deploy(std::move(transformed->document), stack_name_, std::move(deploying), std::move(call));
  });
  if (!*result) {
    for (auto& error : result->error()) {
      if (error.file.empty()) error.hint += "; `--fresh` begins anew, without its data";  // about the stack as it is kept, not about the template
      publish(error);
    }
    return false;
  }
  const templates::DeployResult& deployed = **result;
  for (const auto& warning : deployed.warnings) publish(warning);
  for (const auto& id : deployed.detached) publish_warning(fmt::format("{} is no longer in the template as it was; its data is kept and comes back with it (`parvis prune` deletes it)", id));
  for (const auto& id : deployed.reattached) publish_warning(fmt::format("{} is back, with its data", id));
  std::vector<std::string> apis;
  for (const auto& resource : deployed.stack.resources)
    if (resource.type == "AWS::ApiGateway::RestApi" || resource.type == "AWS::ApiGatewayV2::Api") apis.push_back(resource.physical_id);
  platform_.serve_apis(apis);
  if (options_.inspect.on) {
    std::vector<std::string> functions;
    for (const auto& resource : deployed.stack.resources)
      if (resource.type == "AWS::Lambda::Function") functions.push_back(resource.physical_id);
    platform_.serve_debuggers(functions);
  }
  return true;
}

std::set<fs::path> DevSession::folders() const {
  std::set<fs::path> folders{project_.folder};
  for (const auto& input : inputs_) folders.insert(input.parent_path());
  return folders;
}

bool DevSession::concerns(const std::set<fs::path>& changed) const {
  return std::ranges::any_of(changed, [this](const fs::path& path) { return path == project_.template_file || inputs_.contains(path); });
}

}  // namespace parvis::platform
