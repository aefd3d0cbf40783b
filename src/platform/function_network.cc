#include "platform/function_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "platform/platform.h"

namespace parvis::platform {
namespace {

using functions::EngineOptions;

std::optional<network::Reach> reach_of(Network network) {
  switch (network) {
    case Network::kNone: return network::Reach::kNone;
    case Network::kPlatform: return network::Reach::kPlatform;
    case Network::kDefault:
    case Network::kOutbound: return network::Reach::kOutbound;
    case Network::kHost: return std::nullopt;
  }
  std::abort();
}

// Nothing: functions have the host's network. What was asked for and cannot be is an error; what is only the default gives way, and
// the facilities' gaps have said so.
std::optional<network::Reach> choose_reach(const Options& options, const EngineOptions& engine) {
  const auto wanted = reach_of(options.function_network);
  if (!wanted || (!engine.sandbox && options.function_network == Network::kDefault)) return std::nullopt;
  if (!engine.sandbox) throw StartError("--function-network none, platform and outbound need --sandbox on: without a sandbox functions have the host's network");
  const auto& facilities = engine.sandbox->facilities;
  if (facilities.own_network && (*wanted != network::Reach::kOutbound || facilities.connect_watch)) return wanted;
  if (options.function_network == Network::kDefault) return std::nullopt;
  throw StartError(fmt::format("--function-network: this host cannot keep it; --function-network host gives functions the host's network:\n  {}", fmt::join(facilities.gaps, "\n  ")));
}

}  // namespace

FunctionNetwork::FunctionNetwork(const Options& options, std::vector<asio::io_context*> contexts, EngineOptions& engine, http::Handler handler,
                                 std::function<bool(const http::Request&)> wants_stream) {
  const auto reach = choose_reach(options, engine);
  http::ServerOptions server;
  server.listen = false;
  server.wants_stream = std::move(wants_stream);
  server_ = std::make_shared<http::Server>(contexts, std::move(server), std::move(handler));
  auto authority = network::Authority::open(options.data_dir / "authority");
  if (!authority) throw StartError(authority.error());
  engine.ca_path = (*authority)->certificate_path();
  engine.ca_bundle_path = (*authority)->bundle_path();
  asio::io_context* const proxy_context = contexts.front();
  network::HostOptions host{.contexts = std::move(contexts), .serve = {}, .authority = std::move(*authority), .aws_port = options.port, .reach = reach.value_or(network::Reach::kNone)};
  host.serve = [weak = std::weak_ptr(server_)](Fd connection, std::shared_ptr<void> held) {
    if (const auto alive = weak.lock()) alive->take(std::move(connection), std::move(held));
  };
  host_ = std::make_shared<network::Host>(std::move(host));
  if (reach) {
    engine.sandbox->network = host_;
  } else {
    const std::uint16_t secured = host_->listen_on_host();
    engine.client_environment["_PARVIS_AWS"] = fmt::format("{},{},{}", options.port, secured, fmt::join(network::kPlatformDomains, ","));
    proxy_ = std::make_shared<network::Proxy>(*proxy_context, network::ProxyPorts{.secured = secured, .plain = options.port});
    const std::string proxy = fmt::format("http://127.0.0.1:{}", proxy_->start());
    for (const char* name : {"HTTPS_PROXY", "https_proxy"}) engine.bootstrap_environment[name] = proxy;
    for (const char* name : {"NO_PROXY", "no_proxy"}) engine.bootstrap_environment[name] = "127.0.0.1,localhost,.localhost";
    if (engine.sandbox && options.function_network == Network::kDefault)
      spdlog::warn("function network: this host gives functions no network of their own, so they reach what it reaches. AWS's names lead to this platform in the Node.js and "
                   "Python clients, and for bootstraps that follow HTTPS_PROXY; in child processes, worker threads and other programs they lead to AWS itself");
  }
}

FunctionNetwork::~FunctionNetwork() { if (proxy_) proxy_->close(); }

void FunctionNetwork::stop(std::chrono::milliseconds grace) {
  if (proxy_) proxy_->close();
  server_->stop(grace);
}

}  // namespace parvis::platform
