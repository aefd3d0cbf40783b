// platform/function_network.h: how far functions reach, and what they meet there: the platform under AWS's names.
//
// Where functions have networks of their own (functions/network) the platform serves them inside. Where they have the host's
// (`parvis dev`, or a host without network namespaces) our own runtime clients turn connections to AWS's names to the platform, and a proxy
// does for bootstraps that follow HTTPS_PROXY.
#pragma once

#include <memory>
#include <vector>

#include "functions/engine.h"
#include "functions/network/proxy.h"
#include "http/server.h"
#include "platform/options.h"

namespace parvis::platform {

class FunctionNetwork {
 public:
  // `handler` serves what functions send; called once they run, on one of the contexts, which outlive this.
  // Throws StartError: the authority's files cannot be used, or this host cannot keep the policy that was asked for.
  FunctionNetwork(const Options& options, std::vector<asio::io_context*> contexts, functions::EngineOptions& engine, http::Handler handler,
                  std::function<bool(const http::Request&)> wants_stream);
  ~FunctionNetwork();
  void stop(std::chrono::milliseconds grace);  // no new connections
  std::size_t connection_count() const { return server_->connection_count(); }

 private:
  std::shared_ptr<http::Server> server_;  // without a port
  std::shared_ptr<network::Host> host_;
  std::shared_ptr<network::Proxy> proxy_;  // where functions have the host's network
};

}  // namespace parvis::platform
