#include "platform/api_ports.h"

#include <fmt/format.h>

#include "platform/edge.h"
#include "platform/port_holder.h"

namespace parvis::platform {
namespace {

// SAM makes a second stage, "Stage", beside the one that the template names.
std::string stage_to_serve(const apigateway::CompiledApi& api) {
  std::string found;
  for (const auto& [name, stage] : api.stages)
    if (found.empty() || found == "Stage") found = name;
  return found;
}

}  // namespace

ApiPorts::ApiPorts(std::vector<asio::io_context*> contexts, const Options& options, const apigateway::ApiCatalog& catalog, Handler handler)
    : contexts_(std::move(contexts)), options_(options), catalog_(catalog), handler_(std::move(handler)) {}

void ApiPorts::serve(const std::vector<std::string>& api_ids) {
  for (std::size_t place = 0; place < api_ids.size(); ++place) {
    const auto api = catalog_.find(api_ids[place]);
    std::lock_guard lock(mutex_);
    if (places_.size() <= place) places_.emplace_back();
    places_[place].api_id = api_ids[place];
    places_[place].stage = api ? stage_to_serve(*api) : "";
  }
  std::size_t count;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t place = api_ids.size(); place < places_.size(); ++place) places_[place].api_id.clear();
    count = api_ids.size();
  }
  for (std::size_t place = 0; place < count; ++place)
    if (!places_[place].server) open(place);
}

void ApiPorts::open(std::size_t place) {
  http::ServerOptions server;
  server.address = options_.address;
  server.port = options_.api_port ? static_cast<std::uint16_t>(options_.api_port + place) : 0;
  server.body_bytes_max = 11u << 20;  // the gateway's own limit, 10 MB, answers first
  try {
    auto opened = std::make_unique<http::Server>(contexts_, server, [this, place](http::Request request) { return answer(place, std::move(request)); });
    std::lock_guard lock(mutex_);
    places_[place].server = std::move(opened);
  } catch (const std::system_error& error) {
    throw StartError(busy_port(error, server.port, "--api-port chooses another port for the template's APIs"));
  }
}

awaitable<http::Response> ApiPorts::answer(std::size_t place, http::Request request) {
  std::string api_id, stage;
  {
    std::lock_guard lock(mutex_);
    api_id = places_[place].api_id;
    stage = places_[place].stage;
  }
  if (api_id.empty()) co_return json_response(404, {{"message", "The template has no API for this port any more"}});
  co_return co_await handler_(std::move(api_id), std::move(stage), std::move(request));
}

std::vector<ServedApi> ApiPorts::served() const {
  std::lock_guard lock(mutex_);
  std::vector<ServedApi> out;
  for (const Place& place : places_) {
    const auto api = place.server ? catalog_.find(place.api_id) : nullptr;
    if (!api) continue;
    ServedApi served{.id = place.api_id, .name = api->api.name, .stage = place.stage,
                     .kind = api->api.protocol == apigateway::Protocol::kRest ? "REST" : "HTTP",
                     .url = fmt::format("http://localhost:{}", place.server->port()), .routes = {}};
    for (const auto& route : api->api.definition.routes) served.routes.push_back(route.key());
    out.push_back(std::move(served));
  }
  return out;
}

void ApiPorts::stop(std::chrono::milliseconds grace) {
  std::lock_guard lock(mutex_);
  for (Place& place : places_)
    if (place.server) place.server->stop(grace);
}

}  // namespace parvis::platform
