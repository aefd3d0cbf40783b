// Workers that are forked from a prepared interpreter.
#include <fcntl.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <spdlog/spdlog.h>

#include "functions/engine_impl.h"
#include "functions/node_client.h"

namespace parvis::functions {
namespace {

constexpr unsigned kFailuresMax = 3;  // after so many the runtime's workers start on their own

}  // namespace

// Whether workers of the runtime can start now; if not, `then` is called when they can.
bool Engine::Impl::prepared(const std::shared_ptr<Runtime>& runtime, std::move_only_function<void()> then) {
  if (runtime->kind != Runtime::Kind::kPython || runtime->zygote_failures >= kFailuresMax || stopping || !setup_error.empty()) return true;
  if (runtime->zygote && runtime->zygote->ready()) return true;
  if (!runtime->zygote) {
    const Program program{.interpreter = runtime->interpreter, .client = runtime->client, .sdk_dir = options.python_sdk_dir};
    const WorkerPlaces seen = places_seen(options, program);
    const std::lock_guard lock(live_mutex);
    auto started = Zygote::start({runtime->interpreter, std::string(kPythonClient), seen.client, program.sdk_dir, seen.sdk_dir});
    if (!started) {
      runtime->zygote_failures = kFailuresMax;
      spdlog::warn("Python workers start one by one, because no prepared interpreter can be had: {}", started.error());
      return true;
    }
    live.insert((*started)->pid());
    runtime->zygote = std::move(*started);
  }
  runtime->when_prepared.push_back(std::move(then));
  if (runtime->when_prepared.size() > 1) return false;  // somebody waits already
  const auto watch = std::make_shared<asio::posix::basic_stream_descriptor<Home>>(background, fcntl(runtime->zygote->control_fd(), F_DUPFD_CLOEXEC, 10));
  watch->async_wait(asio::posix::descriptor_base::wait_read, [weak = weak_from_this(), runtime, watch](boost::system::error_code error) {
    const auto self = weak.lock();
    auto waiting = std::exchange(runtime->when_prepared, {});
    if (error || !self || self->stopping) return;
    if (runtime->zygote && !runtime->zygote->became_ready()) self->drop_zygote(*runtime, "it has ended while it started");
    for (auto& action : waiting) action();
  });
  return false;
}

void Engine::Impl::drop_zygote(Runtime& runtime, const std::string& why) {
  const std::lock_guard lock(live_mutex);
  ++runtime.zygote_failures;
  spdlog::warn("the prepared interpreter {} is given up: {}", runtime.interpreter, why);
  if (live.erase(runtime.zygote->pid()) > 0) {
    kill_group(runtime.zygote->pid());
    reap(runtime.zygote->pid(), true);
  }
  runtime.zygote.reset();
}

// Forks the worker where there is something to fork it from, else starts it.
std::expected<Process, std::string> Engine::Impl::start_process(Runtime& runtime, const ProcessSpec& spec, int our_channel, bool forkable) {
  std::string why;
  if (forkable && runtime.zygote && runtime.zygote->ready()) {
    const std::lock_guard lock(live_mutex);
    if (stopping) return std::unexpected("the function engine is stopping");
    auto process = runtime.zygote->fork(spec, our_channel);
    if (process) live.insert(process->pid);
    if (process) return process;
    why = process.error();
  }
  if (!why.empty()) drop_zygote(runtime, why);
  const std::lock_guard lock(live_mutex);
  if (stopping) return std::unexpected("the function engine is stopping");
  auto process = spawn(spec);
  if (process) live.insert(process->pid);
  return process;
}

}  // namespace parvis::functions
