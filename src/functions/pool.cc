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

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "functions/engine_impl.h"
#include "functions/node_client.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kInitTimeoutMin{10'000};  // Lambda's limit of the init phase
constexpr milliseconds kQueueWaitMax{60'000};
constexpr milliseconds kScaleWait{5};
constexpr milliseconds kScaleWaitShort{50};  // for functions whose workers would empty the queue sooner than one starts
constexpr milliseconds kSaturatedWaitMax{500};  // after this a call gets its worker although the processors are busy
constexpr milliseconds kBlockedCheck{50};  // how often calls look again whether a limit has room

// Node.js reads these at its start only, so a function that sets one boots a worker of its own.
constexpr std::array kStartupVariables = {"NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "NODE_ICU_DATA", "NODE_V8_COVERAGE", "UV_THREADPOOL_SIZE",
                                          "OPENSSL_CONF", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "LD_PRELOAD"};

bool needs_cold_boot(const FunctionSpec& spec) {
  return std::any_of(kStartupVariables.begin(), kStartupVariables.end(), [&](const char* name) { return spec.environment.contains(name); });
}

unsigned loading_max() { return std::max(2u, std::thread::hardware_concurrency()); }

// Whether everything that this machine can run at once is running: then one more worker makes the waiting calls wait longer.
// Source: proc(5), /proc/loadavg: the fourth field counts runnable threads; this one is among them.
bool processors_busy() {
  std::ifstream loads("/proc/loadavg");
  double ignored = 0;
  unsigned runnable = 0;
  return static_cast<bool>(loads >> ignored >> ignored >> ignored >> runnable) && runnable > std::thread::hardware_concurrency();
}

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

std::string setup(const EngineOptions& options, const std::string& client_path) {
  std::error_code error;
  fs::create_directories(options.scratch_dir, error);
  if (error) return "cannot create the scratch folder " + options.scratch_dir + ": " + error.message();
  remove_leftovers(options.scratch_dir);
  fs::permissions(options.scratch_dir, fs::perms::owner_all, error);
  std::ofstream(client_path, std::ios::binary | std::ios::trunc) << kNodeClient;
  if (fs::file_size(client_path, error) != kNodeClient.size() || error) return "cannot write " + client_path;
  return {};
}

}  // namespace

Slot::Slot(const Strand& strand, Process process, Fd channel, Fd log_fd, std::shared_ptr<Engine::Impl> owner)
    : Worker(strand, std::move(process), std::move(channel), std::move(log_fd)),
      engine(owner),
      mark('\0' + owner->entropy.token(32) + '\0'),
      log(mark),
      since(Steady::now()) {}

Engine::Impl::Impl(asio::io_context& context, const Clock& clock_in, Entropy& entropy_in, EngineOptions options_in)
    : strand(asio::make_strand(context.get_executor())), clock(clock_in), entropy(entropy_in), options(std::move(options_in)), timer(strand) {
  options.scratch_dir = fs::absolute(options.scratch_dir).string();
  client_path = options.scratch_dir + "/node-client-" + hex_encode(sha256(kNodeClient)).substr(0, 16) + ".cjs";
  setup_error = setup(options, client_path);
}

std::shared_ptr<Pool> Engine::Impl::pool_of(const std::shared_ptr<const FunctionSpec>& spec) {
  prebooted_wanted = options.prebooted;
  auto& pool = pools[spec->key];
  if (!pool) {
    pool = std::make_shared<Pool>();
    pool->spec = spec;
  }
  return pool;
}

// --- starting --------------------------------------------------------------------------------------------------------

// Starts up to `wanted` workers in all, those that load already included. False when none can be started at all.
bool Engine::Impl::scale(const std::shared_ptr<Pool>& pool, unsigned wanted) {
  wanted = std::min(wanted, loading_max());
  while (pool->loading < wanted && pool->total < pool->spec->concurrency_max) {
    if (workers >= options.workers_max && !evict_one(pool.get())) return true;
    if (!start_worker(pool)) return false;
  }
  return true;
}

bool Engine::Impl::start_worker(const std::shared_ptr<Pool>& pool) {
  std::shared_ptr<Slot> slot;
  const bool cold = needs_cold_boot(*pool->spec);
  if (!generic.empty() && !cold) {
    slot = std::move(generic.front());
    generic.pop_front();
    slot->since = Steady::now();
  } else {
    if (cold) spdlog::info("function {}: sets start-up variables of Node.js, so its workers boot cold", pool->spec->name);
    auto booted = boot(cold ? function_environment(*pool->spec, nullptr) : std::map<std::string, std::string>{}, {});
    if (!booted) {
      spdlog::error("function {}: {}", pool->spec->name, booted.error());
      do fail_load(*pool, error_payload("Runtime.InvalidEntrypoint", booted.error()), {});
      while (!pool->waiting.empty());
      return false;
    }
    slot = std::move(*booted);
  }
  load(slot, pool);
  return true;
}

std::expected<std::shared_ptr<Slot>, std::string> Engine::Impl::boot(std::map<std::string, std::string> environment, std::vector<std::string> flags) {
  if (!setup_error.empty()) return std::unexpected(setup_error);
  if (access(options.node_path.c_str(), X_OK) != 0) {
    return std::unexpected("the Node.js interpreter '" + options.node_path + "' cannot be run: " + std::strerror(errno));
  }
  const std::string folder = fmt::format("{}/worker-{}-{}", options.scratch_dir, getpid(), next_worker++);
  std::error_code error;
  fs::create_directories(folder + "/tmp", error);
  if (error) return std::unexpected("cannot create " + folder + ": " + error.message());
  int channel[2], log[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) return std::unexpected(std::string("socketpair: ") + std::strerror(errno));
  Fd ours(channel[0]), theirs(channel[1]);
  if (pipe2(log, O_CLOEXEC) != 0) return std::unexpected(std::string("pipe: ") + std::strerror(errno));
  Fd log_read(log[0]), log_write(log[1]);

  environment.emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  environment.emplace("LANG", "en_US.UTF-8");
  environment.emplace("TZ", ":UTC");
  environment["TMPDIR"] = folder + "/tmp";
  if (!options.node_sdk_dir.empty()) environment.emplace("NODE_PATH", options.node_sdk_dir);
  ProcessSpec spec{.arguments = {options.node_path}, .environment = std::move(environment), .directory = folder, .output_fd = log_write.get(), .channel_fd = theirs.get()};
  spec.arguments.insert(spec.arguments.end(), flags.begin(), flags.end());
  spec.arguments.push_back(client_path);
  const std::lock_guard lock(live_mutex);
  if (stopping) return std::unexpected("the function engine is stopping");
  auto process = spawn(spec);
  if (!process) return std::unexpected(process.error());
  live.insert(process->pid);
  auto slot = std::make_shared<Slot>(strand, std::move(*process), std::move(ours), std::move(log_read), shared_from_this());
  slot->folder = folder;
  slot->log_stream = fmt::format("{:%Y/%m/%d}/[$LATEST]{}", fmt::gmtime(std::chrono::system_clock::to_time_t(clock.wall())), entropy.token(32, "0123456789abcdef"));
  slots.insert(slot);
  slot->watch();
  return slot;
}

// The complete environment of a function's worker: the function's own, then what Lambda's environment always has.
std::map<std::string, std::string> Engine::Impl::function_environment(const FunctionSpec& spec, const Slot* slot) const {
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
  if (!options.node_sdk_dir.empty()) add("NODE_PATH", options.node_sdk_dir);
  if (slot != nullptr) {
    add("AWS_LAMBDA_LOG_STREAM_NAME", slot->log_stream);
    environment["TMPDIR"] = slot->folder + "/tmp";
  }
  return environment;
}

void Engine::Impl::load(const std::shared_ptr<Slot>& slot, const std::shared_ptr<Pool>& pool) {
  slot->state = Slot::State::kLoading;
  slot->pool = pool;
  slot->spec = pool->spec;
  slot->deadline = slot->since + std::max<milliseconds>(kInitTimeoutMin, pool->spec->timeout);
  ++pool->total;
  ++pool->loading;
  ++workers;
  // Bundles are content-addressed, so the folder's name stands for the code. One cache per bundle: functions must not
  // be able to plant compiled code for each other.
  const std::string cache = options.scratch_dir + "/code-cache/" + hex_encode(sha256(pool->spec->code_dir)).substr(0, 32);
  boost::json::object environment;
  for (const auto& [name, value] : function_environment(*pool->spec, slot.get())) environment[name] = value;
  slot->send(frame('L', boost::json::serialize(boost::json::object{{"env", std::move(environment)},
                                                                   {"handler", pool->spec->handler},
                                                                   {"codeDir", pool->spec->code_dir},
                                                                   {"sdkDir", options.node_sdk_dir},
                                                                   {"cacheDir", cache},
                                                                   {"mark", slot->mark}})));
  wake_at(slot->deadline);
}

// Boots one generic worker at a time, and none while a function loads: a waiting call needs the processor more.
void Engine::Impl::refill() {
  if (stopped || stopping || boot_failed || !setup_error.empty() || generic.size() >= prebooted_wanted) return;
  for (const auto& slot : generic) {
    if (slot->state == Slot::State::kBooting) return;
  }
  for (const auto& [key, pool] : pools) {
    if (pool->loading > 0) return;
  }
  if (auto booted = boot({}, {})) {
    generic.push_back(std::move(*booted));
  } else {
    boot_failed = true;
    spdlog::error("cannot boot a worker: {}", booted.error());
  }
}

// --- ending ----------------------------------------------------------------------------------------------------------

// Ends the idle worker that has been unused for longest. False when every worker is at work.
bool Engine::Impl::evict_one(const Pool* except) {
  std::shared_ptr<Slot> oldest;
  for (const auto& [key, pool] : pools) {
    if (pool.get() == except || pool->idle.empty()) continue;
    if (!oldest || pool->idle.front()->since < oldest->since) oldest = pool->idle.front();
  }
  if (!oldest) return false;
  end_worker(oldest);
  return true;
}

void Engine::Impl::end_worker(const std::shared_ptr<Slot>& slot) {
  if (slot->ending) return;
  slot->ending = true;
  forget(*slot);
  slot->kill();
}

// Takes the worker out of all counts. Its process may live a little longer.
void Engine::Impl::forget(Slot& slot) {
  const auto self = slot.self();
  std::erase(generic, self);
  if (!slot.pool) return;
  std::erase(slot.pool->idle, self);
  if (slot.state == Slot::State::kLoading) --slot.pool->loading;
  --slot.pool->total;
  --workers;
}

ExitStatus Engine::Impl::reap_and_forget(Slot& slot) {
  ExitStatus status;
  {
    const std::lock_guard lock(live_mutex);
    if (live.erase(slot.pid()) > 0) status = reap(slot.pid(), true);  // it has ended: this does not wait
  }
  slot.close();
  std::error_code ignored;
  fs::remove_all(slot.folder, ignored);
  slots.erase(slot.self());
  return status;
}

void Engine::Impl::retire(const std::string& key) {
  const auto found = pools.find(key);
  if (found == pools.end()) return;
  const auto pool = found->second;
  pool->retired = true;
  const auto idle = pool->idle;
  for (const auto& slot : idle) end_worker(slot);
  if (pool->total == 0 && pool->waiting.empty()) pools.erase(found);
}

Steady::time_point Engine::Impl::sweep(Steady::time_point now) {
  auto next = Steady::time_point::max();
  const std::vector<std::shared_ptr<Slot>> all(slots.begin(), slots.end());
  for (const auto& slot : all) {
    if (slot->ending) continue;
    if (slot->state == Slot::State::kBusy || slot->state == Slot::State::kLoading) {
      if (slot->deadline > now) {
        next = std::min(next, slot->deadline);
      } else if (!slot->timed_out) {
        slot->timed_out = true;
        slot->memory_peak = std::max(slot->memory_peak, peak_memory_bytes(slot->pid()));
        slot->kill();
      }
    } else if (slot->state == Slot::State::kIdle) {
      if (slot->since + options.idle_timeout <= now) end_worker(slot);
      else next = std::min(next, slot->since + options.idle_timeout);
    }
  }
  for (auto at = pools.begin(); at != pools.end();) {
    const auto pool = (at++)->second;
    while (!pool->waiting.empty() && pool->waiting.front().queued + kQueueWaitMax <= now) {
      Call call = std::move(pool->waiting.front());
      pool->waiting.pop_front();
      --waiting;
      refuse(std::move(call), Outcome::kThrottled, error_payload("TooManyRequestsException", "Rate Exceeded."));
    }
    const bool drains_soon = pool->total > 0 && pool->mean.count() > 0 && pool->mean * pool->waiting.size() / pool->total < kScaleWait;
    const auto patience = drains_soon ? kScaleWaitShort : kScaleWait;
    const auto overdue = std::count_if(pool->waiting.begin(), pool->waiting.end(), [&](const Call& call) { return call.queued + patience <= now; });
    const bool patient = pool->total > 0 && overdue > 0 && pool->waiting.front().queued + kSaturatedWaitMax > now;
    if (overdue > 0 && !(patient && processors_busy())) scale(pool, static_cast<unsigned>(overdue));
    if (!pool->waiting.empty()) next = std::min(next, now + (overdue > 0 ? kBlockedCheck : kScaleWait));
    if (pool->total == 0 && pool->waiting.empty()) pools.erase(pool->spec->key);
  }
  return next;
}

void Engine::Impl::kill_all() {
  const std::lock_guard lock(live_mutex);
  stopping = true;
  for (const pid_t pid : live) kill_group(pid);
  for (const pid_t pid : live) reap(pid, true);
  live.clear();
}

}  // namespace parvis::functions
