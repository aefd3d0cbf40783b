// The workers' side of the engine: booting, handing over functions, limits, idle time and ends.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/asio/post.hpp>
#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "functions/engine_impl.h"
#include "functions/node_client.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::size_t kCodeCachesMax = 256;
constexpr milliseconds kStarterPause{30};

// Interpreters read these at their start only, so a function that sets one boots a worker of its own.
constexpr std::array kStartupVariables = {"NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_ICU_DATA", "NODE_V8_COVERAGE", "UV_THREADPOOL_SIZE",
                                          "OPENSSL_CONF", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONHASHSEED",
                                          "PYTHONMALLOC", "PYTHONWARNINGS", "PYTHONUTF8"};

// Every function with layers has the variable; where it leads to no folder it says nothing.
bool leads_nowhere(const FunctionSpec& spec, std::string_view folders) {
  std::error_code error;
  while (!folders.empty()) {
    const std::string_view folder = folders.substr(0, folders.find(':'));
    folders.remove_prefix(std::min(folders.size(), folder.size() + 1));
    if (!folder.empty() && folder != spec.code_dir && fs::exists(folder, error)) return false;
  }
  return true;
}

bool needs_cold_boot(const FunctionSpec& spec) {
  return std::any_of(kStartupVariables.begin(), kStartupVariables.end(), [&](std::string_view name) {
    const auto variable = spec.environment.find(std::string(name));
    return variable != spec.environment.end() && !(name == "LD_LIBRARY_PATH" && leads_nowhere(spec, variable->second));
  });
}

// Tells interpreters and SDKs who signs the platform's certificates.
void name_authority(std::map<std::string, std::string>& environment, const WorkerPlaces& places) {
  if (!places.ca.empty()) environment.emplace("NODE_EXTRA_CA_CERTS", places.ca);
  if (!places.ca_bundle.empty()) {
    for (const char* name : {"SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) environment.emplace(name, places.ca_bundle);
  }
}

std::string sdk_dir_of(const EngineOptions& options, const Runtime& runtime) {
  if (runtime.kind == Runtime::Kind::kHttp) return {};
  return runtime.kind == Runtime::Kind::kPython ? options.python_sdk_dir : options.node_sdk_dir;
}

// Extensions run beside the bootstrap, in its cell and with its environment, and end with it. What they print is marked, and each end is
// told to the Runtime API.
constexpr const char* kShell = "/bin/bash";
constexpr std::string_view kStartExtensions = R"(for e in "$1"/*; do
  [ -f "$e" ] && [ -x "$e" ] || continue
  ( "$e" 2>&1 < /dev/null | sed -u $'s/^/\x01/'
    code=${PIPESTATUS[0]}
    exec 9<>"/dev/tcp/127.0.0.1/$2" && printf 'POST /parvis/extension-ended/%s/%s HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "${e##*/}" "$code" >&9 ) &
done
exec "$0")";

// Waits in a cell for the function whose bootstrap it becomes. Its orders: the folder, how many arguments, those, the environment.
constexpr const char* kStarter = "/usr/bin/perl";
constexpr std::string_view kWaitForOrders = R"(open(my $in, '<&=', 3) or exit 70; my $got = ''; while (sysread($in, my $more, 65536)) { $got .= $more } close $in;
exit 0 if $got eq ''; my ($folder, $count, @all) = split /\0/, $got, -1; pop @all; my @run = splice(@all, 0, $count); %ENV = ();
for (@all) { my ($name, $value) = split /=/, $_, 2; $ENV{$name} = $value } chdir $folder; exec { $run[0] } @run; print STDERR "cannot start $run[0]: $!\n"; exit 127)";

std::vector<std::string> bootstrap_arguments(const FunctionSpec& spec, const std::string& bootstrap, bool inside, unsigned port) {
  if (extensions_in(spec.layers_dir).empty()) return {bootstrap};
  return {kShell, "-c", std::string(kStartExtensions), bootstrap, (inside ? "/opt" : spec.layers_dir) + "/extensions", std::to_string(port)};
}

std::string no_bootstrap(const std::string& program) { return "Couldn't find valid bootstrap(s): [" + program + "]: " + std::strerror(errno); }

Extensions::Setup extensions_setup(const FunctionSpec& spec, bool reachable) {
  return {.function = {.name = spec.name, .version = version_of(spec), .handler = spec.handler, .account = spec.account},
          .external = extensions_in(spec.layers_dir), .reachable = reachable};
}

boost::json::value debug_orders(const EngineOptions& options) { return boost::json::object{{"wait", options.debug->wait}, {"debugpy", debugpy_seen(options)}}; }

unsigned loading_max() { return std::max(2u, std::thread::hardware_concurrency()); }

// A platform that was killed leaves the folders of its workers behind.
void remove_leftovers(const std::string& scratch_dir) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(scratch_dir, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("worker-")) continue;
    const int owner = std::atoi(name.c_str() + 7);
    if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), error);
  }
}

// Keeps the compiled code of the bundles that were loaded last.
void trim_code_cache(const std::string& cache_dir) {
  std::vector<std::pair<fs::file_time_type, fs::path>> folders;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(cache_dir, error)) folders.emplace_back(entry.last_write_time(error), entry.path());
  if (folders.size() <= kCodeCachesMax) return;
  std::sort(folders.begin(), folders.end());
  folders.resize(folders.size() - kCodeCachesMax);
  for (const auto& [time, folder] : folders) fs::remove_all(folder, error);
}

std::string setup(const EngineOptions& options) {
  std::error_code error;
  fs::create_directories(options.scratch_dir, error);
  if (error) return "cannot create the scratch folder " + options.scratch_dir + ": " + error.message();
  remove_leftovers(options.scratch_dir);
  trim_code_cache(options.scratch_dir + "/code-cache");
  fs::permissions(options.scratch_dir, fs::perms::owner_all, error);
  return {};
}

}  // namespace

// Whether everything that this machine can run at once is running: then one more worker makes the waiting calls wait longer.
// Source: proc(5), /proc/loadavg: the fourth field counts runnable threads; this one is among them.
bool processors_busy() {
  std::ifstream loads("/proc/loadavg");
  double ignored = 0;
  unsigned runnable = 0;
  return static_cast<bool>(loads >> ignored >> ignored >> ignored >> runnable) && runnable > std::thread::hardware_concurrency();
}

Slot::Slot(const Home& home, Process process, Ends ends, std::shared_ptr<Engine::Impl> owner)
    : Worker(home, std::move(process), std::move(ends)),
      engine(owner),
      mark('\0' + owner->entropy.token(32) + '\0'),
      since(Steady::now()),
      log(mark) {}

Engine::Impl::Impl(asio::io_context& context_in, const Clock& clock_in, Entropy& entropy_in, EngineOptions options_in)
    : context(context_in), background(context_in.get_executor()), clock(clock_in), entropy(entropy_in), options(std::move(options_in)), timer(context_in) {
  options.scratch_dir = fs::absolute(options.scratch_dir).string();
  if (!options.memory) options.memory = [] { return read_memory(); };
  setup_error = setup(options);
  if (options.sandbox) options.sandbox->plans = std::make_shared<sandbox::Plans>(options.sandbox->facilities, options.sandbox->empty_dir);
}

std::string version_of(const FunctionSpec& spec) {
  const auto version = spec.environment.find("AWS_LAMBDA_FUNCTION_VERSION");
  return version == spec.environment.end() ? "$LATEST" : version->second;
}

std::shared_ptr<Pool> Engine::Impl::pool_of(const std::shared_ptr<const FunctionSpec>& spec, const std::shared_ptr<Runtime>& runtime) {
  auto& pool = pools[spec->key];
  if (!pool) {
    pool = std::make_shared<Pool>();
    pool->spec = spec;
    pool->runtime = runtime;
    pool->debugged = debugs(*spec);
    if (pool->debugged) {  // one environment, so that breakpoints meet the call
      auto alone = std::make_shared<FunctionSpec>(*spec);
      alone->concurrency_max = 1;
      pool->spec = std::move(alone);
    }
    pool->cold = runtime->kind != Runtime::Kind::kHttp && (pool->debugged || needs_cold_boot(*spec));
  }
  return pool;
}

// --- starting --------------------------------------------------------------------------------------------------------

// Starts up to `wanted` workers in all, those that load already included.
void Engine::Impl::scale(Locked& locked, const std::shared_ptr<Pool>& pool, unsigned wanted) {
  wanted = std::min(wanted, loading_max());
  while (pool->loading < wanted && pool->total < pool->spec->concurrency_max) {
    if (workers - kept >= options.workers_max && !evict_one(pool.get())) return;
    start_worker(locked, pool);
  }
}

// A generic worker that waits is handed the function; else one boots for it.
void Engine::Impl::start_worker(Locked& locked, const std::shared_ptr<Pool>& pool, Why why) {
  ++pool->total;
  ++pool->loading;
  ++workers;
  if (why == Why::kKept) ++pool->kept, ++kept;
  auto& generic = pool->runtime->generic;
  if (generic.empty() || pool->cold) {  // empty always, where workers cannot wait in their cells
    return asio::post(background, [self = shared_from_this(), pool, why] { self->boot_for(pool, why); });
  }
  // One that has booted, when there is one.
  auto found = std::find_if(generic.begin(), generic.end(), [](const auto& slot) { return slot->state == Slot::State::kGeneric; });
  if (found == generic.end()) found = generic.begin();
  const auto slot = std::move(*found);
  generic.erase(found);
  slot->since = Steady::now();
  locked.after([this, slot, pool] { load(slot, pool); });
  if (slot->state == Slot::State::kBooting) --slot->runtime->booting;
  begin_loading(slot, pool, why);
}

// From here on the worker is this pool's. Locked.
void Engine::Impl::begin_loading(const std::shared_ptr<Slot>& slot, const std::shared_ptr<Pool>& pool, Why why) {
  slot->kept = why == Why::kKept;
  slot->warmed = why == Why::kWarm;
  if (pool->spec->logs.json) slot->log.keep_from(pool->spec->logs.application);
  slot->state = Slot::State::kLoading;
  slot->pool = pool;
  slot->spec = slot->kept ? pool->kept_spec : pool->spec;
  slot->deadline = slot->since + limit_of(*slot);
  wake_at(slot->since + kLogWatchAfter);
}

void Engine::Impl::boot_for(const std::shared_ptr<Pool>& pool, Why why) {
  const bool http = pool->runtime->kind == Runtime::Kind::kHttp;
  const bool cold = pool->cold;
  if (!cold && !prepared(pool->runtime, [self = shared_from_this(), pool, why] { self->boot_for(pool, why); })) return;
  if (cold && !http && !pool->debugged) spdlog::info("function {}: sets start-up variables of its interpreter, so its workers boot cold", pool->spec->name);
  auto booted = boot(pool->runtime, why == Why::kKept ? pool->kept_spec.get() : pool->spec.get(), cold || http);
  Locked locked(*this);
  if (!booted) {
    --pool->total;
    --pool->loading;
    --workers;
    if (why == Why::kKept) --pool->kept, --kept;
    if (stopping || stopped) return;
    if (why == Why::kKept) keep_failed(*pool);
    spdlog::error("function {}: {}", pool->spec->name, booted.error());
    do fail_load(locked, pool, error_payload("Runtime.InvalidEntrypoint", booted.error()), {});
    while (!pool->waiting.empty());
    return;
  }
  const auto slot = std::move(*booted);
  begin_loading(slot, pool, why);
  locked.after([this, slot, pool] {
    load(slot, pool);
    slot->watch();
  });
}

// Background, not locked. The caller sets the slot's state and calls watch().
std::expected<std::shared_ptr<Slot>, std::string> Engine::Impl::boot(const std::shared_ptr<Runtime>& runtime, const FunctionSpec* spec, bool own_environment) {
  if (!setup_error.empty()) return std::unexpected(setup_error);
  const bool http = runtime->kind == Runtime::Kind::kHttp;
  const std::string program = http ? (spec ? spec->code_dir + "/bootstrap" : kStarter) : runtime->interpreter;
  if (access(program.c_str(), X_OK) != 0) {
    if (http) return std::unexpected(no_bootstrap(program));
    return std::unexpected("the interpreter '" + program + "' cannot be run: " + std::strerror(errno));
  }
  auto cell = Cell::make(options, {.interpreter = program, .client = runtime->client, .sdk_dir = sdk_dir_of(options, *runtime), .bootstrap = http}, next_worker++, spec);
  if (!cell) return std::unexpected(cell.error());
  const WorkerPlaces& places = (*cell)->places();
  int channel[2], answers[2], log[2];
  const bool stream = http || (spec && debugs(*spec));  // Node.js's event loop, from which a debugged worker reads, takes streams alone
  if (socketpair(AF_UNIX, (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0, channel) != 0) return std::unexpected(std::string("socketpair: ") + std::strerror(errno));
  Fd ours(channel[0]), theirs(channel[1]);
  if (!http && pipe2(answers, O_CLOEXEC) != 0) return std::unexpected(std::string("pipe: ") + std::strerror(errno));
  Fd answers_read(http ? fcntl(ours.get(), F_DUPFD_CLOEXEC, 0) : answers[0]), answers_write(http ? -1 : answers[1]);
  if (pipe2(log, O_CLOEXEC) != 0) return std::unexpected(std::string("pipe: ") + std::strerror(errno));
  Fd log_read(log[0]), log_write(log[1]);
  std::string log_stream = fmt::format("{:%Y/%m/%d}/[$LATEST]{}", fmt::gmtime(std::chrono::system_clock::to_time_t(clock.wall())), entropy.token(32, "0123456789abcdef"));

  auto environment = own_environment ? function_environment(*spec, places, log_stream) : std::map<std::string, std::string>{};
  environment.emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  environment.emplace("LANG", "en_US.UTF-8");
  environment.emplace("TZ", ":UTC");
  environment["TMPDIR"] = places.tmp_dir;
  name_authority(environment, places);
  if (!http) environment.insert(options.client_environment.begin(), options.client_environment.end());
  if (!places.sdk_dir.empty()) environment.emplace(runtime->kind == Runtime::Kind::kPython ? "PYTHONPATH" : "NODE_PATH", places.sdk_dir);
  ProcessSpec process_spec;
  process_spec.arguments = {places.interpreter};
  process_spec.directory = places.directory;
  process_spec.output_fd = log_write.get();
  process_spec.sandbox = (*cell)->sandbox();
  std::shared_ptr<RuntimeApi> door;
  Fd orders_read, orders_write;
  unsigned port = 0;
  if (http) {
    try {
      door = RuntimeApi::open(context, std::move(theirs), clock, entropy, spec ? extensions_setup(*spec, !(*cell)->has_network()) : Extensions::Setup{}, !(*cell)->has_network());
    } catch (const std::exception& failure) {
      return std::unexpected(std::string("no address for the Runtime API: ") + failure.what());
    }
    environment["LAMBDA_TASK_ROOT"] = places.directory;
    port = (*cell)->has_network() ? network::kRuntimeApiPort : door->port();
    environment["AWS_LAMBDA_RUNTIME_API"] = fmt::format("127.0.0.1:{}", port);
    if (spec) {
      if (!extensions_in(spec->layers_dir).empty() && access(kShell, X_OK) != 0) return std::unexpected(std::string("the function's extensions need ") + kShell + ": install bash");
      process_spec.arguments = bootstrap_arguments(*spec, places.interpreter, (*cell)->sandbox() && (*cell)->sandbox()->isolated(), port);
    } else {
      int orders[2];
      if (pipe2(orders, O_CLOEXEC) != 0) return std::unexpected(std::string("pipe: ") + std::strerror(errno));
      orders_read = Fd(orders[0]), orders_write = Fd(orders[1]);
      environment["PERL_BADLANG"] = "0";
      process_spec.arguments = {kStarter, "-e", std::string(kWaitForOrders)};
      process_spec.channel_fd = orders_read.get();
    }
  } else {
    if (runtime->kind == Runtime::Kind::kPython) process_spec.arguments.insert(process_spec.arguments.end(), {"-B", "-u"});
    else if (spec && debugs(*spec)) process_spec.arguments.push_back("--inspect-publish-uid=http");  // not in the log: its port is not the one to use
    process_spec.arguments.push_back(places.client);
    process_spec.channel_fd = theirs.get();
    process_spec.answers_fd = answers_write.get();
  }
  process_spec.environment = std::move(environment);
  if ((*cell)->has_network()) process_spec.admitted = [&](pid_t pid) { return (*cell)->open_network(pid, door ? door->connections() : network::ServeConnection()); };
  auto process = start_process(*runtime, process_spec, ours.get(), !own_environment);
  if (!process) {
    if (door) door->close();
    if (options.sandbox) options.sandbox->plans->forget();
    return std::unexpected(process.error());
  }
  (*cell)->watch_connects(std::move(process->connects));
  auto slot = std::make_shared<Slot>(background, std::move(*process), Worker::Ends{std::move(ours), stream ? Fd() : std::move(theirs), std::move(answers_read), std::move(log_read)}, shared_from_this());
  slot->cell = std::move(*cell);
  slot->runtime = runtime;
  slot->door = std::move(door);
  slot->orders = std::move(orders_write);
  slot->api_port = port;
  slot->log_stream = log_stream;
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
  if (spec.runtime.starts_with("provided")) environment.insert(options.bootstrap_environment.begin(), options.bootstrap_environment.end());
  environment["TMPDIR"] = places.tmp_dir;
  name_authority(environment, places);
  name_places_inside(options, spec, environment);
  return environment;
}

// A starter becomes the function's bootstrap.
void Engine::Impl::give_orders(const std::shared_ptr<Slot>& slot, const FunctionSpec& spec) {
  const WorkerPlaces& places = slot->cell->places();
  auto environment = function_environment(spec, places, slot->log_stream);
  environment["LAMBDA_TASK_ROOT"] = places.directory;
  environment["AWS_LAMBDA_RUNTIME_API"] = fmt::format("127.0.0.1:{}", slot->api_port);
  const auto arguments = bootstrap_arguments(spec, places.interpreter, true, slot->api_port);
  std::string orders = places.directory + '\0' + std::to_string(arguments.size()) + '\0';
  for (const std::string& argument : arguments) orders += argument + '\0';
  for (const auto& [name, value] : environment) orders += name + "=" + value + '\0';
  asio::post(background, [slot, orders, setup = extensions_setup(spec, !slot->cell->has_network())]() mutable {
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
  // Bundles are content-addressed, so the folder's name stands for the code. One cache per bundle: functions must not
  // be able to plant compiled code for each other.
  std::string missing;
  if (const std::string program = pool->spec->code_dir + "/bootstrap"; slot->orders.get() >= 0 && access(program.c_str(), X_OK) != 0) missing = no_bootstrap(program);
  const std::string cache = options.scratch_dir + "/code-cache/" + hex_encode(sha256(pool->spec->code_dir)).substr(0, 32);
  const auto places = slot->cell->take_in(slot->pidfd(), *pool->spec, cache);
  if (!places || !missing.empty()) {
    const std::string why = missing.empty() ? "the worker cannot be given the function: " + places.error() : missing;
    spdlog::error("function {}: {}", pool->spec->name, why);
    Locked locked(*this);
    fail_load(locked, pool, error_payload("Runtime.InvalidEntrypoint", why), {});
    return end_worker(slot);
  }
  if (pool->runtime->kind != Runtime::Kind::kHttp && !extensions_in(pool->spec->layers_dir).empty())
    spdlog::warn("function {}: the extensions of its layers are not started: they run beside provided runtimes alone", pool->spec->name);
  if (slot->orders.get() >= 0) return give_orders(slot, *slot->spec);
  boost::json::object environment;
  for (const auto& [name, value] : function_environment(*slot->spec, slot->cell->places(), slot->log_stream)) environment[name] = value;
  environment["LAMBDA_TASK_ROOT"] = places->code_dir;
  slot->send(frame('L', boost::json::serialize(boost::json::object{{"env", std::move(environment)},
                                                                   {"handler", pool->spec->handler},
                                                                   {"codeDir", places->code_dir},
                                                                   {"sdkDir", slot->cell->places().sdk_dir},
                                                                   {"cacheDir", places->cache_dir},
                                                                   {"mark", slot->mark},
                                                                   {"debug", pool->debugged ? debug_orders(options) : nullptr}})));
}

// Boots one generic worker at a time, and none while a function loads: a waiting call needs the processor more.
void Engine::Impl::refill() {
  if (stopped || stopping || memory_short || !setup_error.empty() || !can_wait_generic(options)) return;
  for (const auto& [key, pool] : pools) {
    if (pool->loading > 0) return;
  }
  for (const auto& [path, runtime] : runtimes) {
    if (!runtime->wanted || runtime->boot_failed || runtime->booting > 0 || runtime->generic.size() >= options.prebooted) continue;
    ++runtime->booting;
    // The Runtime API of a bootstrap lives on the same thread, which a start holds up: its first call goes first.
    const auto later = std::make_shared<asio::steady_timer>(background, runtime->kind == Runtime::Kind::kHttp ? kStarterPause : milliseconds(0));
    later->async_wait([weak = weak_from_this(), runtime, later](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!error && self) self->boot_generic(runtime);
    });
    return;
  }
}

// Background.
void Engine::Impl::boot_generic(const std::shared_ptr<Runtime>& runtime) {
  const auto again = [self = shared_from_this(), runtime] {
    const std::lock_guard lock(self->mutex);
    --runtime->booting;
    self->refill();
  };
  if (!prepared(runtime, again)) return;
  auto booted = boot(runtime, nullptr, false);
  const std::lock_guard lock(mutex);
  if (!booted) {
    --runtime->booting;
    runtime->boot_failed = true;
    if (!stopping) spdlog::error("cannot boot a worker: {}", booted.error());
    return;
  }
  runtime->generic.push_back(*booted);
  (*booted)->watch();
}

// --- ending ----------------------------------------------------------------------------------------------------------

// Ends the idle worker that has been unused for longest. False when every worker is at work.
bool Engine::Impl::evict_one(const Pool* except) {
  const auto oldest = longest_unused(except);
  if (!oldest) return false;
  end_worker(oldest);
  return true;
}

ExitStatus Engine::Impl::reap_worker(Slot& slot) {
  ExitStatus status;
  {
    const std::lock_guard lock(live_mutex);
    if (live.erase(slot.pid()) > 0) status = reap(slot.pid(), true);  // it has ended: this does not wait
  }
  slot.close();
  asio::post(background, [cell = std::move(slot.cell), door = slot.door]() mutable {
    if (door) door->close();
    cell.reset();
  });
  return status;
}

void Engine::Impl::retire(const std::string& key) {
  std::erase_if(to_warm, [&](const auto& spec) { return spec->key == key; });
  unkeepable.erase(key);
  const auto found = pools.find(key);
  if (found == pools.end()) return;
  const auto pool = found->second;
  pool->retired = true;
  pool->keep = 0;
  const auto idle = pool->idle;
  for (const auto& slot : idle) end_worker(slot);
  if (pool->total == 0 && pool->waiting.empty()) pools.erase(found);
}

}  // namespace parvis::functions
