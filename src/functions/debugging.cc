#include "functions/debugging.h"

#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <spdlog/spdlog.h>

#include "functions/network/inside.h"
#include "functions/network/relay.h"

namespace parvis::functions {
namespace {

using asio::ip::tcp;
using std::chrono::milliseconds;

constexpr unsigned kRelaysMax = 32;                 // per function
constexpr std::size_t kGreetingBytesMax = 16 << 10;  // the head of a debugger's first request
constexpr milliseconds kEnvironmentWait{15'000}, kEnvironmentCheck{50};
constexpr auto kAwait = asio::as_tuple(use_awaitable);

}  // namespace

// --- the engine's part -----------------------------------------------------------------------------------------------

bool Engine::Impl::debugs(const FunctionSpec& spec) const {
  return options.debug && (spec.runtime.starts_with("nodejs") || spec.runtime.starts_with("python")) && options.debug->wanted(spec.name);
}

// Message `N` of a worker that loads a debugged function: its debugger's port, or what it lacks.
bool Engine::Impl::debugger_told(Slot& slot, std::string_view body) {
  Locked locked(*this);
  if (slot.ending) return true;
  if (!slot.pool->debugged || slot.debug_port != 0) return false;
  const std::string text(body);
  const unsigned long port = std::strtoul(text.c_str(), nullptr, 10);
  if (port > 0 && port < 65536) slot.debug_port = static_cast<std::uint16_t>(port);
  else spdlog::warn("function {}: no debugger can attach: {}", slot.spec->name, text.substr(0, 300));
  return true;
}

// Whether the open limit does not count: a debugger is attached, or loading waits for one. Then it begins anew. Locked.
bool Engine::Impl::renew_limit(Slot& slot, Steady::time_point now) const {
  const bool waits = slot.state == Slot::State::kLoading && slot.debug_port != 0 && options.debug && options.debug->wait;
  if (slot.debuggers == 0 && !waits) return false;
  slot.deadline = now + limit_of(slot);
  return true;
}

// The environment that a debugger of this function meets: of the version that was loaded last. When there is none, one is started.
std::shared_ptr<Slot> Engine::Impl::debugged_slot(const std::string& function, bool may_start, bool& starting) {
  Locked locked(*this);
  starting = false;
  std::shared_ptr<Slot> found;
  for (const auto& slot : slots) {
    if (slot->ending || slot->debug_port == 0 || slot->spec->name != function || slot->pool->retired) continue;
    if (!found || slot->since > found->since) found = slot;
  }
  if (found || stopped || stopping) return found;
  for (const auto& [key, pool] : pools) {
    if (!pool->debugged || pool->retired || pool->spec->name != function) continue;
    if (pool->total == 0 && may_start) start_worker(locked, pool);
    starting = starting || pool->total > 0;
  }
  return nullptr;
}

// A socket in the network where the worker is; nothing when it has ended.
Fd Engine::Impl::socket_beside(Slot& slot) {
  const std::lock_guard lock(live_mutex);
  if (!live.contains(slot.pid())) return {};
  if (!slot.cell || !slot.cell->has_network()) return Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, slot.pid(), 0)));
  network::InsideSocket made{.type = SOCK_STREAM, .listens = false};
  if (const auto opened = network::open_inside(pidfd.get(), false, false, {&made, 1}); !opened) spdlog::warn("debugger: {}", opened.error());
  return std::move(made.fd);
}

std::expected<void, std::string> Engine::open_debug_port(const std::string& function, std::uint16_t port) {
  const auto made = std::make_shared<DebugPort>(function, impl_);
  if (const auto error = made->listen(port)) return std::unexpected(error.message());
  const std::lock_guard lock(impl_->mutex);
  impl_->debug_ports.push_back(made);
  return {};
}

// --- connections, on `background` ------------------------------------------------------------------------------------

struct DebugPort::Relay : network::Carriage {
  using Carriage::Carriage;
  tcp::socket& debugger = near;
  tcp::socket& environment = far;
  std::shared_ptr<Slot> slot;
  bool attached = false;
};

boost::system::error_code DebugPort::listen(std::uint16_t port) {
  boost::system::error_code error;
  acceptor_.open(tcp::v4(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind({asio::ip::address_v4::loopback(), port}, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return error;
  const auto serves = [this](const std::shared_ptr<Relay>& relay) { return serve(relay); };
  const auto ended = [this](Relay& relay) { if (relay.attached) set_attached(relay, false); };
  asio::co_spawn(acceptor_.get_executor(), network::accept_bounded<Relay>(shared_from_this(), acceptor_, relays_, kRelaysMax, serves, ended), [self = shared_from_this()](std::exception_ptr) {});
  return {};
}

void DebugPort::close() {
  asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
    boost::system::error_code ignored;
    self->acceptor_.close(ignored);
  });
}

awaitable<> DebugPort::serve(std::shared_ptr<Relay> relay) {
  if (!co_await reach(*relay) || !co_await greet(*relay)) co_return;
  asio::co_spawn(acceptor_.get_executor(), network::pump(relay->environment, relay->debugger), [relay](std::exception_ptr) { relay->cut(); });
  co_await network::pump(relay->debugger, relay->environment);
}

awaitable<bool> DebugPort::reach(Relay& relay) {
  asio::steady_timer timer(acceptor_.get_executor());
  const auto until = Steady::now() + kEnvironmentWait;
  bool may_start = true;
  for (; Steady::now() < until && acceptor_.is_open(); timer.expires_after(kEnvironmentCheck), co_await timer.async_wait(kAwait)) {
    const auto engine = engine_.lock();
    if (!engine) co_return false;
    bool starting = false;
    relay.slot = engine->debugged_slot(function_, may_start, starting);
    if (!relay.slot && !starting) co_return false;  // it has failed, or there is nothing to start
    may_start = false;
    if (!relay.slot) continue;
    Fd socket = engine->socket_beside(*relay.slot);
    if (socket.get() < 0) continue;
    boost::system::error_code ignored;
    relay.environment.close(ignored);
    relay.environment.assign(tcp::v4(), socket.release());
    const auto [error] = co_await relay.environment.async_connect({asio::ip::address_v4::loopback(), relay.slot->debug_port}, kAwait);
    if (!error) co_return true;
  }
  co_return false;
}

// Whether this is a debugger or one who asks for targets is said by the first request. Debuggers of Python attach at once.
awaitable<bool> DebugPort::greet(Relay& relay) {
  boost::system::error_code ignored;
  relay.debugger.set_option(tcp::no_delay(true), ignored);
  relay.environment.set_option(tcp::no_delay(true), ignored);
  bool debugger = relay.slot->spec->runtime.starts_with("python");
  std::string head;
  std::array<char, 4096> buffer;
  while (!debugger && head.find("\r\n\r\n") == std::string::npos) {
    const auto [error, bytes] = co_await relay.debugger.async_read_some(asio::buffer(buffer), kAwait);
    if (error || head.size() + bytes > kGreetingBytesMax) co_return false;
    head.append(buffer.data(), bytes);
  }
  if (debugger || boost::algorithm::icontains(head, "\r\nupgrade: websocket")) set_attached(relay, true);
  const auto [error, written] = co_await asio::async_write(relay.environment, asio::buffer(head), kAwait);
  co_return !error;
}

void DebugPort::set_attached(Relay& relay, bool attached) {
  const auto engine = engine_.lock();
  if (!engine) return;
  relay.attached = attached;
  bool tell = false;
  {
    Engine::Impl::Locked locked(*engine);
    Slot& slot = *relay.slot;
    tell = attached ? slot.debuggers++ == 0 : --slot.debuggers == 0;
    if (!slot.ending && (slot.state == Slot::State::kBusy || slot.state == Slot::State::kLoading)) {
      slot.deadline = Steady::now() + limit_of(slot);
      engine->wake_at(slot.deadline);
    }
  }
  if (tell && engine->options.debug->on_attached) engine->options.debug->on_attached(function_, attached);
}

}  // namespace parvis::functions
