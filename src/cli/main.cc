// The `parvis` command: arguments in, platform calls out.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/dev.h"
#include "cli/serve.h"
#include "cli/template_commands.h"

namespace {
namespace fs = std::filesystem;

// node, esbuild and the SDK live in build/tools of the checkout, or in ../lib/parvis beside an installed binary.
fs::path find_tools() {
  if (const char* set = std::getenv("PARVIS_TOOLS")) return set;
  std::error_code ignored;
  const fs::path here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& place : {here / "../tools", here / "../lib/parvis"})
    if (fs::exists(place / "node_modules", ignored)) return fs::canonical(place, ignored);
  return {};
}

void add_common(CLI::App& command, parvis::platform::Options& options, std::string& sync) {
  command.add_option("--port", options.port, "Port of the AWS APIs")->capture_default_str();
  command.add_option("--address", options.address, "Address to listen on")->capture_default_str();
  command.add_option("--data-dir", options.data_dir, "Where state is kept");
  command.add_option("--sync", sync, "When a write counts as done: on disk (always) or in the log (relaxed)")
      ->check(CLI::IsMember({"always", "relaxed"}));
  command.add_flag("!--no-throughput-limits", options.limit_throughput, "Never throttle tables with provisioned capacity");
  command.add_option("--threads", options.threads, "I/O threads")->check(CLI::Range(1, 64))->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Parvis: a serverless platform for backends-for-frontends that speaks AWS's own protocols"};
  app.require_subcommand(1);
  parvis::platform::Options options;
  parvis::platform::DevOptions dev;
  std::string sync, file, region = "us-east-1";
  std::vector<std::string> parameters;
  options.tools_dir = find_tools();

  auto* dev_command = app.add_subcommand("dev", "Run a project from its template, and reload it on every edit");
  add_common(*dev_command, options, sync);
  dev_command->add_option("project", dev.place, "Folder or template")->default_str(".");
  dev_command->add_option("--api-port", options.api_port, "Port of the template's first API")->capture_default_str();
  dev_command->add_flag("--empty", dev.empty, "No template: everything by API");
  dev_command->add_flag("--fresh", dev.fresh, "Begin with no data");
  dev_command->add_flag("--json", dev.json, "Print events as JSON lines");
  dev_command->add_flag("!--no-watch", dev.watch, "Do not reload on edits");
  dev_command->add_option("--parameter", parameters, "Template parameter, Key=Value; may be repeated")->allow_extra_args(false);
  dev_command->add_option("--env-file", dev.env_file, "Values of environment variables that functions declare: .env lines, or JSON as sam's --env-vars");
  dev_command->add_option("--allow-host", options.allowed_hosts, "Host name that may use the port; may be repeated")->allow_extra_args(false);

  bool insecure = false;
  auto* serve_command = app.add_subcommand("serve", "Run the platform for deployments by API: durable, signatures required");
  add_common(*serve_command, options, sync);
  serve_command->get_option("--data-dir")->required();
  serve_command->add_flag("--insecure", insecure, "Listen beyond this machine, without TLS and without policies");

  auto* validate = app.add_subcommand("validate", "Check a template without deploying it");
  validate->add_option("file", file)->required();
  validate->add_option("--region", region)->capture_default_str();
  auto* transform = app.add_subcommand("transform", "Print the template with the SAM transform applied");
  transform->add_option("file", file)->required();
  transform->add_option("--region", region)->capture_default_str();
  auto* version = app.add_subcommand("version", "Print the version");
  app.add_subcommand("help", "Print this text")->callback([&] { throw CLI::CallForAllHelp(); });
  CLI11_PARSE(app, argc, argv);

  if (*version) return std::puts("parvis " PARVIS_VERSION), 0;
  if (*validate) return parvis::cli::validate_template(file, region);
  if (*transform) return parvis::cli::transform_template(file, region);
  if (*serve_command) {
    options.sync = sync == "relaxed" ? parvis::platform::Sync::kRelaxed : parvis::platform::Sync::kAlways;
    return parvis::cli::run_serve(std::move(options), insecure);
  }
  options.sync = sync == "always" ? parvis::platform::Sync::kAlways : parvis::platform::Sync::kRelaxed;
  for (const std::string& parameter : parameters) {
    const auto equals = parameter.find('=');
    if (equals == std::string::npos) {
      std::fprintf(stderr, "--parameter %s: write it as Key=Value\n", parameter.c_str());
      return 2;
    }
    dev.parameters[parameter.substr(0, equals)] = parameter.substr(equals + 1);
  }
  if (dev.place.empty() && !dev.empty) dev.place = ".";
  return parvis::cli::run_dev(std::move(options), std::move(dev));
}
