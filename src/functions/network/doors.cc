#include "functions/network/doors.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <sstream>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <spdlog/spdlog.h>

#include "core/file.h"
#include "functions/network/connect_watch.h"
#include "functions/network/connections.h"
#include "functions/network/dns.h"
#include "functions/network/inside.h"
#include "functions/network/upstream.h"

namespace parvis::network {
namespace {

using asio::ip::tcp;
using asio::ip::udp;
constexpr auto kAwait = asio::as_tuple(use_awaitable);

constexpr std::size_t kConnectionsMax = 256, kDestinationsMax = 64;
constexpr int kQuestionsMax = 32;
constexpr std::chrono::milliseconds kAcceptPause{50};
constexpr std::chrono::seconds kQuestionWait{10};
constexpr std::array<std::uint8_t, 4> kHere{127, 0, 0, 1};

}  // namespace

struct Host::Shared {
  explicit Shared(HostOptions given) : options(std::move(given)), tls(asio::ssl::context::tls_server) { options.authority->serve(tls.native_handle()); }
  asio::io_context& next_context() { return *options.contexts[next++ % options.contexts.size()]; }

  HostOptions options;
  asio::ssl::context tls;
  Entropy entropy;
  std::atomic<std::size_t> next{0};
  std::shared_ptr<tcp::acceptor> on_host;
};

namespace {

// All members run on the one thread of `context_`, except where a comment says otherwise.
class Rooms final : public Doors, public std::enable_shared_from_this<Rooms> {
 public:
  Rooms(std::shared_ptr<Host::Shared> host, asio::io_context& context, Fd pidfd, ServeConnection runtime_api)
      : host_(std::move(host)), context_(context), pidfd_(std::move(pidfd)), runtime_api_(std::move(runtime_api)), names_(context), reach_(host_->options.reach) {}

  // Any thread, before anything else.
  std::expected<void, std::string> open();
  void close();

  void watch(Fd connects) override {  // any thread
    asio::post(context_, [self = shared_from_this(), fd = std::make_shared<Fd>(std::move(connects))] {
      if (self->closed_) return;
      self->watch_ = ConnectWatch::start(self->context_, std::move(*fd), [weak = self->weak_from_this()](std::uint32_t address, std::uint16_t port) {
        if (const auto there = weak.lock()) there->expect(address, port);
      });
    });
  }
  void narrow(Reach reach) override {  // any thread
    if (reach >= reach_) return;
    reach_ = reach;  // at once: the worker runs its function's code before the doors are shut
    asio::post(context_, [self = shared_from_this(), reach] {
      self->destinations_.clear();
      if (reach == Reach::kNone) self->shut(false);
    });
  }

 private:
  using Action = void (Rooms::*)(tcp::socket);
  struct Door {
    Door(asio::io_context& context, Action action_in) : acceptor(context), pause(context), action(action_in) {}
    tcp::acceptor acceptor;
    asio::steady_timer pause;
    Action action;
  };

  std::shared_ptr<Door> door(Fd listener, Action action);
  void accept(const std::shared_ptr<Door>& door);
  void shut(bool runtime_api_too);
  std::shared_ptr<void> count();  // one more connection; nullptr: there are too many
  void plain(tcp::socket socket);
  void secured(tcp::socket socket);
  void runtime_api(tcp::socket socket);
  void questions(tcp::socket socket);
  void outbound(tcp::socket socket);
  void expect(std::uint32_t address, std::uint16_t port);
  void receive_question();
  static awaitable<> ask(std::shared_ptr<Rooms> self, std::string query, udp::endpoint from);
  static awaitable<> answer_stream(std::shared_ptr<Rooms> self, std::shared_ptr<tcp::socket> socket);
  // The answer, or nullopt when the host's servers have to be asked.
  std::optional<std::string> answer_here(std::string_view query) const;
  awaitable<std::string> answer_anyhow(std::string query, bool stream);

  const std::shared_ptr<Host::Shared> host_;
  asio::io_context& context_;
  const Fd pidfd_;
  const ServeConnection runtime_api_;
  udp::socket names_;
  udp::endpoint asker_;
  std::array<char, kQueryBytesMax + 1> question_;
  std::atomic<Reach> reach_;
  bool closed_ = false;
  int asking_ = 0;
  std::vector<std::shared_ptr<Door>> doors_;
  std::deque<std::pair<std::pair<std::uint32_t, std::uint16_t>, std::shared_ptr<Door>>> destinations_;  // the oldest first
  std::shared_ptr<ConnectWatch> watch_;
  const std::shared_ptr<std::atomic<std::size_t>> connections_ = std::make_shared<std::atomic<std::size_t>>(0);
  OpenConnections open_;
};

// Closes the doors when the last holder lets go.
class Handle final : public Doors {
 public:
  explicit Handle(std::shared_ptr<Rooms> rooms) : rooms_(std::move(rooms)) {}
  ~Handle() override { rooms_->close(); }
  void watch(Fd connects) override { rooms_->watch(std::move(connects)); }
  void narrow(Reach reach) override { rooms_->narrow(reach); }

 private:
  std::shared_ptr<Rooms> rooms_;
};

std::expected<void, std::string> Rooms::open() {
  const bool platform = reach_ >= Reach::kPlatform;
  std::vector<InsideSocket> sockets;
  std::vector<Action> actions;
  const auto add = [&](int type, std::uint16_t port, Action action) {
    sockets.push_back({.type = type, .address = INADDR_LOOPBACK, .port = port});
    actions.push_back(action);
  };
  if (platform) {
    add(SOCK_DGRAM, 53, nullptr);
    add(SOCK_STREAM, 53, &Rooms::questions);
    add(SOCK_STREAM, 80, &Rooms::plain);
    add(SOCK_STREAM, 443, &Rooms::secured);
    if (const auto port = host_->options.aws_port; port != 80 && port != 443 && port != 53 && port != 0) add(SOCK_STREAM, port, &Rooms::plain);
  }
  if (runtime_api_ && host_->options.aws_port != kRuntimeApiPort) add(SOCK_STREAM, kRuntimeApiPort, &Rooms::runtime_api);
  if (auto opened = open_inside(pidfd_.get(), true, reach_ == Reach::kOutbound, sockets); !opened) return opened;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (actions[i]) doors_.push_back(door(std::move(sockets[i].fd), actions[i]));
    else names_.assign(udp::v4(), sockets[i].fd.release());
  }
  asio::post(context_, [self = shared_from_this()] {
    for (const auto& door : self->doors_) self->accept(door);
    if (self->names_.is_open()) self->receive_question();
  });
  return {};
}

std::shared_ptr<Rooms::Door> Rooms::door(Fd listener, Action action) {
  auto made = std::make_shared<Door>(context_, action);
  made->acceptor.assign(tcp::v4(), listener.release());
  return made;
}

void Rooms::accept(const std::shared_ptr<Door>& door) {
  door->acceptor.async_accept(context_, [self = shared_from_this(), weak = std::weak_ptr(door)](boost::system::error_code failed, tcp::socket socket) {
    const auto here = weak.lock();
    if (!here || self->closed_ || failed == asio::error::operation_aborted || !here->acceptor.is_open()) return;
    if (!failed) {
      if (self->reach_ != Reach::kNone || here->action == &Rooms::runtime_api) (self.get()->*here->action)(std::move(socket));
      return self->accept(here);
    }
    here->pause.expires_after(kAcceptPause);  // too many open files, and the like
    here->pause.async_wait([self, here](boost::system::error_code ended) {
      if (!ended && !self->closed_) self->accept(here);
    });
  });
}

void Rooms::close() {
  asio::post(context_, [self = shared_from_this()] {
    self->closed_ = true;
    self->shut(true);
    self->destinations_.clear();
    if (self->watch_) self->watch_->stop();
    self->watch_.reset();
    self->open_.close_all();
  });
}

void Rooms::shut(bool runtime_api_too) {
  std::erase_if(doors_, [&](const std::shared_ptr<Door>& door) {
    if (door->action == &Rooms::runtime_api && !runtime_api_too) return false;
    boost::system::error_code ignored;
    door->acceptor.close(ignored);
    door->pause.cancel();
    return true;
  });
  boost::system::error_code ignored;
  names_.close(ignored);
}

std::shared_ptr<void> Rooms::count() {
  if (connections_->fetch_add(1) >= kConnectionsMax) return --*connections_, nullptr;
  return {this, [connections = connections_](void*) { --*connections; }};
}

// --- connections -------------------------------------------------------------------------------------------------------

void Rooms::plain(tcp::socket socket) {
  if (auto counted = count()) host_->options.serve(Fd(socket.release()), std::move(counted));
}

void Rooms::runtime_api(tcp::socket socket) {
  if (auto counted = count()) runtime_api_(Fd(socket.release()), std::move(counted));
}

void Rooms::secured(tcp::socket socket) {
  if (auto counted = count()) open_.add(serve_secured(context_, std::move(socket), host_->tls, host_->options.serve, std::move(counted)));
}

void Rooms::outbound(tcp::socket socket) {
  boost::system::error_code failed;
  const tcp::endpoint wanted = socket.local_endpoint(failed);
  if (failed || reach_ != Reach::kOutbound || !wanted.address().is_v4() || !may_leave(wanted.address().to_v4().to_uint())) return;
  if (auto counted = count()) open_.add(forward(context_, std::move(socket), wanted, std::move(counted)));
}

// Called while the worker waits in connect().
void Rooms::expect(std::uint32_t address, std::uint16_t port) {
  if (closed_ || reach_ != Reach::kOutbound || port == 0 || !may_leave(address)) return;
  const auto key = std::pair(address, port);
  if (std::ranges::any_of(destinations_, [&](const auto& known) { return known.first == key; })) return;
  InsideSocket wanted[1];
  wanted[0].type = SOCK_STREAM;
  wanted[0].address = address;
  wanted[0].port = port;
  if (auto opened = open_inside(pidfd_.get(), false, false, wanted); !opened) return spdlog::warn("a function's connection is refused: {}", opened.error());
  destinations_.emplace_back(key, door(std::move(wanted[0].fd), &Rooms::outbound));
  accept(destinations_.back().second);
  if (destinations_.size() > kDestinationsMax) destinations_.pop_front();
}

// --- names -------------------------------------------------------------------------------------------------------------

std::optional<std::string> Rooms::answer_here(std::string_view query) const {
  const auto question = read_question(query);
  if (!question) return question.error() ? answer(query, nullptr, *question.error()) : std::string();
  if (question->klass != 1) return answer(query, &*question, Rcode::kRefused);
  if (is_platform_name(question->name) || is_local_name(question->name)) {
    return answer(query, &*question, Rcode::kNone, question->type == kTypeA ? std::optional(kHere) : std::nullopt);
  }
  if (reach_ != Reach::kOutbound) return answer(query, &*question, Rcode::kNoSuchName);
  // Connections leave by IPv4 alone.
  if (question->type == kTypeAaaa || question->type == kTypeHttps) return answer(query, &*question, Rcode::kNone);
  return std::nullopt;
}

awaitable<std::string> Rooms::answer_anyhow(std::string query, bool stream) {
  if (auto known = answer_here(query)) co_return std::move(*known);
  const auto question = read_question(query);
  if (asking_ >= kQuestionsMax) co_return answer(query, &*question, Rcode::kServer);
  ++asking_;
  std::string reply;
  try {
    reply = co_await ask_upstream(parse_resolv_conf(read_file(host_->options.resolv_conf)).servers, query, stream, host_->entropy);
  } catch (const std::exception& error) {
    spdlog::warn("a function's question for a name failed: {}", error.what());
  }
  --asking_;
  if (reply.empty()) reply = answer(query, &*question, Rcode::kServer);
  co_return reply;
}

void Rooms::receive_question() {
  names_.async_receive_from(asio::buffer(question_), asker_, [self = shared_from_this()](boost::system::error_code failed, std::size_t bytes) {
    if (self->closed_ || failed == asio::error::operation_aborted || !self->names_.is_open()) return;
    if (!failed) {
      const std::string_view query(self->question_.data(), self->reach_ == Reach::kNone ? 0 : bytes);
      if (const auto known = self->answer_here(query)) {
        boost::system::error_code ignored;  // a worker that does not read loses its answers
        if (!known->empty()) self->names_.send_to(asio::buffer(*known), self->asker_, MSG_DONTWAIT, ignored);
      } else {
        asio::co_spawn(self->context_, ask(self, std::string(query), self->asker_), [self](std::exception_ptr) {});
      }
    }
    self->receive_question();
  });
}

awaitable<> Rooms::ask(std::shared_ptr<Rooms> self, std::string query, udp::endpoint from) {
  const std::string reply = co_await self->answer_anyhow(std::move(query), false);
  boost::system::error_code ignored;
  if (!self->closed_ && self->names_.is_open()) self->names_.send_to(asio::buffer(reply), from, MSG_DONTWAIT, ignored);
}

void Rooms::questions(tcp::socket socket) {
  auto counted = count();
  if (!counted) return;
  auto held = std::make_shared<tcp::socket>(std::move(socket));
  asio::co_spawn(context_, answer_stream(shared_from_this(), held), [self = shared_from_this(), counted, held](std::exception_ptr) {});
}

// One question after the other, each with its length before it.
awaitable<> Rooms::answer_stream(std::shared_ptr<Rooms> self, std::shared_ptr<tcp::socket> socket) {
  asio::steady_timer timer(self->context_);
  const auto bounded = [&] {
    timer.expires_after(kQuestionWait);
    timer.async_wait([socket](boost::system::error_code ended) {
      boost::system::error_code ignored;
      if (!ended) socket->close(ignored);
    });
  };
  for (;;) {
    bounded();
    unsigned char head[2] = {};
    if (const auto [ec, bytes] = co_await asio::async_read(*socket, asio::buffer(head), kAwait); ec) break;
    std::string query(static_cast<std::size_t>(head[0]) << 8 | head[1], '\0');
    if (query.size() > kQueryBytesMax) break;
    if (const auto [ec, bytes] = co_await asio::async_read(*socket, asio::buffer(query), kAwait); ec || self->closed_) break;
    std::string reply = co_await self->answer_anyhow(std::move(query), true);
    if (reply.empty()) break;
    reply = std::string{static_cast<char>(reply.size() >> 8), static_cast<char>(reply.size())} + reply;
    bounded();
    if (const auto [ec, bytes] = co_await asio::async_write(*socket, asio::buffer(reply), kAwait); ec) break;
  }
  timer.cancel();
}

}  // namespace

// --- the host ----------------------------------------------------------------------------------------------------------

Host::Host(HostOptions options) : shared_(std::make_shared<Shared>(std::move(options))) {}

Host::~Host() {
  if (shared_->on_host) asio::post(shared_->on_host->get_executor(), [acceptor = shared_->on_host] {
    boost::system::error_code ignored;
    acceptor->close(ignored);
  });
}

Reach Host::reach() const { return shared_->options.reach; }
const Authority& Host::authority() const { return *shared_->options.authority; }

std::expected<std::shared_ptr<Doors>, std::string> Host::open(pid_t pid, ServeConnection runtime_api) {
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.get() < 0) return std::unexpected(std::string("pidfd_open: ") + std::strerror(errno));
  auto rooms = std::make_shared<Rooms>(shared_, shared_->next_context(), std::move(pidfd), std::move(runtime_api));
  if (auto opened = rooms->open(); !opened) return std::unexpected(opened.error());
  return std::make_shared<Handle>(std::move(rooms));
}

std::vector<sandbox::TextFile> Host::files() const {
  const HostOptions& options = shared_->options;
  const bool outbound = options.reach == Reach::kOutbound;
  std::string hosts = "127.0.0.1 localhost parvis sandbox sandbox.localdomain\n";
  if (outbound) {  // what the host's operator has named; its own loopback is not the worker's
    std::istringstream lines(read_file(options.hosts));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string address;
      words >> address;
      boost::system::error_code failed;
      const auto four = asio::ip::make_address_v4(address, failed);
      if (!failed && may_leave(four.to_uint())) hosts += line + "\n";
    }
  }
  return {{"/etc/resolv.conf", "nameserver 127.0.0.1\n" + (outbound ? parse_resolv_conf(read_file(options.resolv_conf)).rest : std::string())},
          {"/etc/hosts", std::move(hosts)},
          {"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n"}};
}

std::uint16_t Host::listen_on_host() {
  asio::io_context& context = shared_->next_context();
  auto acceptor = std::make_shared<tcp::acceptor>(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  shared_->on_host = acceptor;
  struct Accept {
    std::weak_ptr<Shared> shared;
    std::shared_ptr<tcp::acceptor> acceptor;
    std::shared_ptr<OpenConnections> open;
    void operator()() const {
      acceptor->async_accept([again = *this](boost::system::error_code failed, tcp::socket socket) {
        const auto host = again.shared.lock();
        if (!host || failed == asio::error::operation_aborted || !again.acceptor->is_open()) return;
        auto& context = static_cast<asio::io_context&>(again.acceptor->get_executor().context());
        if (!failed && again.open->size() < kConnectionsMax) again.open->add(serve_secured(context, std::move(socket), host->tls, host->options.serve, {}));
        again();
      });
    }
  };
  const std::uint16_t port = acceptor->local_endpoint().port();
  asio::post(context, Accept{shared_, acceptor, std::make_shared<OpenConnections>()});
  return port;
}

bool may_leave(std::uint32_t address) {
  const std::uint32_t first = address >> 24;
  return first != 0 && first != 127 && address >> 16 != 0xa9fe /* 169.254 */ && first < 224;
}

}  // namespace parvis::network
