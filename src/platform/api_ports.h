// platform/api_ports.h: the ports of a template's own APIs: the first on --api-port, the next ones after it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/server.h"
#include "platform/platform.h"
#include "services/apigateway/api_catalog.h"

namespace parvis::platform {

class ApiPorts {  // thread-safe
 public:
  using Handler = std::function<awaitable<http::Response>(std::string api_id, std::string stage, http::Request)>;
  ApiPorts(std::vector<asio::io_context*> contexts, const Options& options, const apigateway::ApiCatalog& catalog, Handler handler);
  // One port per id, in order; places keep their ports when what stands there changes. A busy port is a StartError.
  void serve(const std::vector<std::string>& api_ids);
  std::vector<ServedApi> served() const;
  void stop(std::chrono::milliseconds grace);

 private:
  struct Place {
    std::string api_id, stage;
    std::unique_ptr<http::Server> server;
  };
  awaitable<http::Response> answer(std::size_t place, http::Request request);
  void open(std::size_t place);

  std::vector<asio::io_context*> contexts_;
  const Options& options_;
  const apigateway::ApiCatalog& catalog_;
  Handler handler_;
  mutable std::mutex mutex_;
  std::vector<Place> places_;
};

}  // namespace parvis::platform
