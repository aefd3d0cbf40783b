// Starting a worker's process and handing it its function.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <boost/asio/post.hpp>
#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "functions/engine_impl.h"
#include "functions/launch.h"

namespace parvis::functions {
namespace {

// Tells interpreters and SDKs who signs the platform's certificates.
void name_authority(std::map<std::string, std::string>& environment, const WorkerPlaces& places) {
  if (!places.ca.empty()) environment.emplace("NODE_EXTRA_CA_CERTS", places.ca);
  if (!places.ca_bundle.empty()) {
    for (const char* name : {"SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) environment.emplace(name, places.ca_bundle);
  }
}

std::string sdk_dir_of(const EngineOptions& options, const Runtime& runtime) {
  if (runtime.speaks_http()) return {};
  return runtime.kind == Runtime::Kind::kPython ? options.python_sdk_dir : options.node_sdk_dir;
}

std::string no_bootstrap(const std::string& program) { return "Couldn't find valid bootstrap(s): [" + program + "]: " + std::strerror(errno); }

Extensions::Setup extensions_setup(const FunctionSpec& spec) {
  return {.function = {.name = spec.name, .version = version_of(spec), .handler = spec.handler, .account = spec.account},
          .external = extensions_in(spec.layers_dir)};
}

boost::json::value debug_orders(const EngineOptions& options) { return boost::json::object{{"wait", options.debug->wait}, {"debugpy", debugpy_seen(options)}}; }

// Bundles are content-addressed, so the folder's name stands for the code. One cache per bundle: functions must not be able to plant
// compiled code for each other.
std::string cache_of(const EngineOptions& options, const FunctionSpec& spec) { return options.scratch_dir + "/code-cache/" + hex_encode(sha256(spec.code_dir)).substr(0, 32); }

std::unexpected<std::string> failed(const char* what) { return std::unexpected(std::string(what) + ": " + std::strerror(errno)); }

std::string api_address(unsigned port) { return fmt::format("127.0.0.1:{}", port); }

// A runtime's arguments, as Lambda would start it, and what else the function wants to start beside and before it.
std::vector<std::string> launch(const FunctionSpec& spec, std::vector<std::string> runtime, bool isolated, unsigned port) {
  if (const std::string wrapper = wrapper_of(spec, isolated); !wrapper.empty()) runtime.insert(runtime.begin(), wrapper);
  if (!has_extensions(spec)) return runtime;
  return beside_extensions((isolated ? "/opt" : spec.layers_dir) + "/extensions", port, std::move(runtime));
}

}  // namespace

// The two sides of what a worker and the engine tell each other.
struct Engine::Impl::Lines {
  Fd channel, answers;              // the engine's ends: messages to the worker, and what comes from it
  Fd theirs;                        // the worker's end of the channel, kept for taking messages back; or none
  Fd worker_channel, worker_answers;  // what the worker gets; `theirs` stands for the first when it is the same
  Fd log_read, log_write;
  std::shared_ptr<RuntimeApi> door;
};

// Background. `door`: the worker has a Runtime or Extensions API, which stands between it and the engine.
std::expected<Engine::Impl::Lines, std::string> Engine::Impl::open_lines(const Runtime& runtime, const FunctionSpec* spec, bool has_door, bool own_network) {
  Lines lines;
  int pair[2], log[2], pipes[2];
  const bool stream = has_door || (spec && debugs(*spec));  // Node.js's event loop, from which a debugged worker reads, takes streams alone
  if (socketpair(AF_UNIX, (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0, pair) != 0) return failed("socketpair");
  lines.channel = Fd(pair[0]);
  Fd other(pair[1]);
  if (pipe2(log, O_CLOEXEC) != 0) return failed("pipe");
  lines.log_read = Fd(log[0]), lines.log_write = Fd(log[1]);
  if (!runtime.speaks_http()) {
    if (pipe2(pipes, O_CLOEXEC) != 0) return failed("pipe");
    lines.answers = Fd(pipes[0]), lines.worker_answers = Fd(pipes[1]);
  }
  if (!has_door) {
    if (stream) lines.worker_channel = std::move(other);
    else lines.theirs = std::move(other);
    return lines;
  }
  RuntimeApi::Framed framed;
  if (!runtime.speaks_http()) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return failed("socketpair");
    framed = {Fd(pair[0]), std::move(lines.answers)};
    lines.worker_channel = Fd(pair[1]);
  }
  lines.answers = Fd(fcntl(lines.channel.get(), F_DUPFD_CLOEXEC, 0));
  try {
    lines.door = RuntimeApi::open(context, std::move(other), clock, entropy, spec ? extensions_setup(*spec) : Extensions::Setup{}, !own_network, std::move(framed));
  } catch (const std::exception& failure) {
    return std::unexpected(std::string("no address for the Runtime API: ") + failure.what());
  }
  return lines;
}

// The interpreter's environment, with what only its own start and our client need.
std::map<std::string, std::string> Engine::Impl::start_environment(const Runtime& runtime, const FunctionSpec* spec, const Cell& cell, const std::string& log_stream) const {
  const WorkerPlaces& places = cell.places();
  auto environment = spec ? function_environment(*spec, places, log_stream) : std::map<std::string, std::string>{};
  environment.emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  environment.emplace("LANG", "en_US.UTF-8");
  environment.emplace("TZ", ":UTC");
  environment["TMPDIR"] = places.tmp_dir;
  name_authority(environment, places);
  if (!runtime.speaks_http()) environment.insert(options.client_environment.begin(), options.client_environment.end());
  if (!places.sdk_dir.empty()) environment.emplace(runtime.kind == Runtime::Kind::kPython ? "PYTHONPATH" : "NODE_PATH", places.sdk_dir);
  if (spec) environment["LAMBDA_TASK_ROOT"] = cell.isolated() ? places.directory : spec->code_dir;
  else if (runtime.speaks_http()) environment["LAMBDA_TASK_ROOT"] = places.directory;
  return environment;
}

std::vector<std::string> Engine::Impl::runtime_arguments(const Runtime& runtime, const FunctionSpec* spec, const Cell& cell) const {
  const WorkerPlaces& places = cell.places();
  switch (runtime.kind) {
    case Runtime::Kind::kHttp: return {places.interpreter};
    case Runtime::Kind::kJava: return java_arguments(*spec, runtime.java->major, places.interpreter, places.client, runtime.client, cell.isolated() ? "" : spec->layers_dir);
    case Runtime::Kind::kPython: return {places.interpreter, "-B", "-u", places.client};
    case Runtime::Kind::kNode: break;
  }
  if (spec && debugs(*spec)) return {places.interpreter, "--inspect-publish-uid=http", places.client};  // not in the log: its port is not the one to use
  return {places.interpreter, places.client};
}

// Background, not locked. The caller sets the slot's state and calls watch().
std::expected<std::shared_ptr<Slot>, std::string> Engine::Impl::boot(const std::shared_ptr<Runtime>& runtime, const FunctionSpec* spec, bool own_environment) {
  if (!setup_error.empty()) return std::unexpected(setup_error);
  const bool http = runtime->speaks_http(), bootstrap = runtime->kind == Runtime::Kind::kHttp;
  const FunctionSpec* known = own_environment ? spec : nullptr;  // else it is told later
  const std::string program = !bootstrap ? runtime->interpreter : known ? known->code_dir + "/bootstrap" : kStarter;
  if (access(program.c_str(), X_OK) != 0) {
    if (bootstrap) return std::unexpected(no_bootstrap(program));
    return std::unexpected("the interpreter '" + program + "' cannot be run: " + std::strerror(errno));
  }
  if (known && has_extensions(*known) && access(kShell, X_OK) != 0) return std::unexpected(std::string("the function's extensions need ") + kShell + ": install bash");
  using Kind = Program::Kind;
  auto cell = Cell::make(options, {.interpreter = program, .client = runtime->client, .sdk_dir = sdk_dir_of(options, *runtime), .kind = bootstrap ? Kind::kBootstrap : http ? Kind::kJava : Kind::kClient,
                                   .cache_dir = known ? cache_of(options, *known) : "", .java = runtime->java}, next_worker++, own_environment || can_wait_generic(options) ? known : spec);
  if (!cell) return std::unexpected(cell.error());
  const bool isolated = (*cell)->isolated(), has_door = http || (known && wants_door(*known));
  auto lines = open_lines(*runtime, known, has_door, (*cell)->has_network());
  if (!lines) return std::unexpected(lines.error());
  std::string log_stream = fmt::format("{:%Y/%m/%d}/[$LATEST]{}", fmt::gmtime(std::chrono::system_clock::to_time_t(clock.wall())), entropy.token(32, "0123456789abcdef"));
  ProcessSpec process_spec;
  process_spec.environment = start_environment(*runtime, known, **cell, log_stream);
  process_spec.directory = (*cell)->places().directory;
  process_spec.output_fd = lines->log_write.get();
  process_spec.sandbox = (*cell)->sandbox();
  process_spec.channel_fd = lines->worker_channel.get() >= 0 ? lines->worker_channel.get() : lines->theirs.get();
  process_spec.answers_fd = lines->worker_answers.get();
  const unsigned port = !lines->door ? 0 : (*cell)->has_network() ? network::kRuntimeApiPort : lines->door->port();
  if (lines->door) process_spec.environment["AWS_LAMBDA_RUNTIME_API"] = api_address(port);
  Fd orders_read, orders_write;
  if (known || !bootstrap) {
    process_spec.arguments = runtime_arguments(*runtime, known, **cell);
    if (known) process_spec.arguments = launch(*known, std::move(process_spec.arguments), isolated, port);
  } else {
    int orders[2];
    if (pipe2(orders, O_CLOEXEC) != 0) return failed("pipe");
    orders_read = Fd(orders[0]), orders_write = Fd(orders[1]);
    process_spec.environment["PERL_BADLANG"] = "0";
    process_spec.arguments = starter_arguments();
    process_spec.channel_fd = orders_read.get();
  }
  if ((*cell)->has_network()) process_spec.admitted = [&](pid_t pid) { return (*cell)->open_network(pid, lines->door ? lines->door->connections() : network::ServeConnection()); };
  auto process = start_process(*runtime, process_spec, lines->channel.get(), !own_environment);
  if (!process) {
    if (lines->door) lines->door->close();
    if (options.sandbox) options.sandbox->plans->forget();
    return std::unexpected(process.error());
  }
  (*cell)->watch_connects(std::move(process->connects));
  auto slot = std::make_shared<Slot>(background, std::move(*process), Worker::Ends{std::move(lines->channel), std::move(lines->theirs), std::move(lines->answers), std::move(lines->log_read)}, shared_from_this());
  slot->cell = std::move(*cell);
  slot->runtime = runtime;
  slot->door = std::move(lines->door);
  slot->orders = std::move(orders_write);
  slot->api_port = port;
  slot->log_stream = log_stream;
  if (slot->door) slot->door->extensions().connect_by([weak = std::weak_ptr(slot)] {
    const auto self = weak.lock();
    const auto owner = self ? self->engine.lock() : nullptr;
    return owner ? owner->socket_beside(*self) : Fd();
  });
  const std::lock_guard lock(mutex);
  slots.insert(slot);
  return slot;
}

// The complete environment of a function's worker: the function's own, then what Lambda's environment always has.
std::map<std::string, std::string> Engine::Impl::function_environment(const FunctionSpec& spec, const WorkerPlaces& places, const std::string& log_stream) const {
  auto environment = spec.environment;
  const auto add = [&](const char* name, std::string value) { environment.emplace(name, std::move(value)); };
  add("PATH", "/usr/local/bin:/usr/bin:/bin");
  add("LANG", "en_US.UTF-8");
  add("TZ", ":UTC");
  add("_HANDLER", spec.handler);
  add("LAMBDA_TASK_ROOT", spec.code_dir);
  add("AWS_EXECUTION_ENV", "AWS_Lambda_" + spec.runtime);
  add("AWS_LAMBDA_FUNCTION_NAME", spec.name);
  add("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
  add("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", std::to_string(spec.memory_mb));
  add("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/" + spec.name);
  add("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
  if (spec.runtime.starts_with("nodejs") && !places.sdk_dir.empty()) add("NODE_PATH", places.sdk_dir);
  add("AWS_LAMBDA_LOG_STREAM_NAME", log_stream);
  if (spec.runtime.starts_with("provided") || spec.runtime.starts_with("java")) environment.insert(options.bootstrap_environment.begin(), options.bootstrap_environment.end());
  environment["TMPDIR"] = places.tmp_dir;
  // Landlock alone keeps the host's list of users out of reach, from which Node.js would take the home folder.
  if (options.sandbox && !options.sandbox->facilities.namespaces) add("HOME", places.tmp_dir);
  name_authority(environment, places);
  name_places_inside(options, spec, environment);
  return environment;
}

// A starter becomes the function's bootstrap.
void Engine::Impl::give_orders(const std::shared_ptr<Slot>& slot, const FunctionSpec& spec) {
  const WorkerPlaces& places = slot->cell->places();
  auto environment = function_environment(spec, places, slot->log_stream);
  environment["LAMBDA_TASK_ROOT"] = places.directory;
  environment["AWS_LAMBDA_RUNTIME_API"] = api_address(slot->api_port);
  std::string orders = starter_orders(places.directory, launch(spec, {places.interpreter}, true, slot->api_port), environment);
  asio::post(background, [slot, orders, setup = extensions_setup(spec)]() mutable {
    slot->door->extensions().configure(std::move(setup));
    for (std::string_view left = orders; !left.empty();) {  // a pipe holds 64 KiB; variables are at most 4 KB
      const ssize_t wrote = write(slot->orders.get(), left.data(), left.size());
      if (wrote <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(wrote));
    }
    slot->orders.reset();
  });
}

// Hands the function to the worker. Not locked.
void Engine::Impl::load(const std::shared_ptr<Slot>& slot, const std::shared_ptr<Pool>& pool) {
  std::string missing;
  if (const std::string program = pool->spec->code_dir + "/bootstrap"; slot->orders.get() >= 0 && access(program.c_str(), X_OK) != 0) missing = no_bootstrap(program);
  const auto places = slot->cell->take_in(slot->pidfd(), *pool->spec, cache_of(options, *pool->spec));
  if (!places || !missing.empty()) {
    const std::string why = missing.empty() ? "the worker cannot be given the function: " + places.error() : missing;
    spdlog::error("function {}: {}", pool->spec->name, why);
    Locked locked(*this);
    fail_load(locked, pool, error_payload("Runtime.InvalidEntrypoint", why), {});
    return end_worker(slot);
  }
  if (slot->orders.get() >= 0) return give_orders(slot, *slot->spec);
  if (pool->runtime->speaks_http()) return;  // it was started for its function
  boost::json::object environment;
  for (const auto& [name, value] : function_environment(*slot->spec, slot->cell->places(), slot->log_stream)) environment[name] = value;
  environment["LAMBDA_TASK_ROOT"] = places->code_dir;
  // What a wrapper script has set or changed stays.
  const bool wrapped = !wrapper_of(*pool->spec, true).empty();
  slot->send(frame('L', boost::json::serialize(boost::json::object{{"env", wrapped ? boost::json::value(nullptr) : std::move(environment)},
                                                                   {"handler", pool->spec->handler},
                                                                   {"codeDir", places->code_dir},
                                                                   {"sdkDir", slot->cell->places().sdk_dir},
                                                                   {"cacheDir", places->cache_dir},
                                                                   {"mark", slot->mark},
                                                                   {"debug", pool->debugged ? debug_orders(options) : nullptr}})));
}

}  // namespace parvis::functions
