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
#include "functions/launch.h"

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
    pool->cold = !runtime->speaks_http() && (pool->debugged || wants_door(*spec) || needs_cold_boot(*spec));
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
  const bool http = pool->runtime->speaks_http();
  const bool cold = pool->cold;
  if (!cold && !prepared(pool->runtime, [self = shared_from_this(), pool, why] { self->boot_for(pool, why); })) return;
  if (cold && !http && !pool->debugged) spdlog::info("function {}: {}, so its workers boot cold", pool->spec->name, wants_door(*pool->spec) ? "has extensions or a wrapper script" : "sets start-up variables of its interpreter");
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
