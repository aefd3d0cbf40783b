#include "http/server.h"

#include <system_error>

#include <boost/asio/ip/tcp.hpp>

#include "http/session.h"

namespace parvis::http {
namespace {

using asio::ip::tcp;
constexpr std::chrono::milliseconds kAcceptPause{50};  // after an error such as "too many open files"

void for_each_session(ServerShared& shared, void (Session::*action)()) {
  std::vector<std::shared_ptr<Session>> sessions;
  {
    std::lock_guard lock(shared.mutex);
    for (const auto& [key, weak] : shared.sessions)
      if (auto session = weak.lock()) sessions.push_back(std::move(session));
  }
  for (auto& session : sessions) {
    auto executor = session->executor();
    asio::post(executor, [session = std::move(session), action] { (session.get()->*action)(); });
  }
}

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  Impl(std::vector<asio::io_context*> contexts, ServerOptions options, Handler handler)
      : contexts(std::move(contexts)), acceptor(*this->contexts.at(0)), pause(*this->contexts[0]), grace(*this->contexts[0]),
        shared(std::make_shared<ServerShared>()) {
    shared->options = std::move(options);
    shared->handler = std::move(handler);
  }

  void listen() {
    const std::string where = fmt::format("{}:{}", shared->options.address, shared->options.port);
    boost::system::error_code ec;
    const auto check = [&] {
      if (ec) throw std::system_error(std::error_code(ec.value(), std::system_category()), "cannot listen on " + where);
    };
    const auto address = asio::ip::make_address(shared->options.address, ec);
    if (ec) throw std::system_error(std::make_error_code(std::errc::invalid_argument), "cannot listen on " + where);
    const tcp::endpoint endpoint(address, shared->options.port);
    acceptor.open(endpoint.protocol(), ec);
    check();
    acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    check();
    acceptor.bind(endpoint, ec);
    check();
    acceptor.listen(1024, ec);
    check();
    port = acceptor.local_endpoint().port();
  }

  // Runs on contexts[0] alone; each accepted socket belongs to the context whose turn it is.
  void accept() {
    asio::io_context& context = *contexts[next++ % contexts.size()];
    acceptor.async_accept(context, [self = shared_from_this()](const boost::system::error_code& ec, tcp::socket socket) {
      if (self->shared->stopping || ec == asio::error::operation_aborted) return;
      if (!ec) {
        self->admit(std::move(socket));
        return self->accept();
      }
      self->pause.expires_after(kAcceptPause);
      self->pause.async_wait([self](const boost::system::error_code& wait_error) {
        if (!wait_error && !self->shared->stopping) self->accept();
      });
    });
  }

  void take(Fd connection, std::shared_ptr<void> held) {
    tcp::socket socket(*contexts[next++ % contexts.size()]);
    boost::system::error_code ec;
    if (shared->stopping) return;
    socket.assign(tcp::v4(), connection.get(), ec);
    if (ec) return;
    connection.release();
    admit(std::move(socket), std::move(held));
  }

  void admit(tcp::socket socket, std::shared_ptr<void> held = {}) {
    if (shared->connections.fetch_add(1) >= shared->options.connections_max) {
      --shared->connections;
      static constexpr std::string_view kFull =
          "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
      boost::system::error_code ec;
      socket.non_blocking(true, ec);
      socket.write_some(asio::buffer(kFull), ec);
      return;
    }
    auto session = std::make_shared<Session>(shared, std::move(socket), std::move(held));
    {
      std::lock_guard lock(shared->mutex);
      shared->sessions.emplace(session.get(), session);
    }
    auto executor = session->executor();
    asio::post(executor, [session = std::move(session)] { session->start(); });
  }

  void stop_accepting() {
    shared->stopping = true;
    asio::post(*contexts[0], [self = shared_from_this()] {
      boost::system::error_code ec;
      self->acceptor.close(ec);
      self->pause.cancel();
    });
  }

  // Looks every 10 ms, so that the contexts may run out of work as soon as the last connection is gone.
  void wait_for_last(std::chrono::steady_clock::time_point until) {
    if (shared->connections == 0) return;
    if (std::chrono::steady_clock::now() >= until) return for_each_session(*shared, &Session::close);
    grace.expires_after(std::chrono::milliseconds(10));
    grace.async_wait([self = shared_from_this(), until](const boost::system::error_code& ec) {
      if (!ec) self->wait_for_last(until);
    });
  }

  std::vector<asio::io_context*> contexts;
  tcp::acceptor acceptor;
  asio::steady_timer pause, grace;
  std::shared_ptr<ServerShared> shared;
  std::atomic<std::size_t> next{0};
  std::uint16_t port = 0;
};

Server::Server(std::vector<asio::io_context*> contexts, ServerOptions options, Handler handler)
    : impl_(std::make_shared<Impl>(std::move(contexts), std::move(options), std::move(handler))) {
  if (!impl_->shared->options.listen) return;
  impl_->listen();
  asio::post(*impl_->contexts[0], [impl = impl_] { impl->accept(); });
}

Server::~Server() {
  impl_->stop_accepting();
  for_each_session(*impl_->shared, &Session::close);
}

std::uint16_t Server::port() const { return impl_->port; }
void Server::take(Fd connection, std::shared_ptr<void> held) { impl_->take(std::move(connection), std::move(held)); }
std::size_t Server::connection_count() const { return impl_->shared->connections; }

void Server::stop(std::chrono::milliseconds grace) {
  impl_->stop_accepting();
  for_each_session(*impl_->shared, &Session::close_if_idle);
  asio::post(*impl_->contexts[0], [impl = impl_, until = std::chrono::steady_clock::now() + grace] { impl->wait_for_last(until); });
}

}  // namespace parvis::http
