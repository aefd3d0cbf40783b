#include "functions/extensions.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include "core/async.h"
#include "core/time_format.h"
#include "functions/api_answers.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kExtension = "/2020-01-01/extension/", kTelemetry = "/2022-07-01/telemetry", kLogs = "/2020-08-15/logs", kEnded = "/parvis/extension-ended/";
constexpr std::size_t kExtensionsMax = 10;
// Source: "Lambda execution environment lifecycle", Shutdown phase.
constexpr long kGraceInternalMs = 500, kGraceExternalMs = 2000;

std::string text(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

// The host of a destination must be the worker itself: the platform carries nothing to other places for it.
std::string destination(std::string uri) {
  for (const std::string_view host : {"http://sandbox.localdomain:", "http://sandbox:", "http://localhost:", "http://127.0.0.1:"}) {
    if (!uri.starts_with(host)) continue;
    const std::string rest = uri.substr(host.size());
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const long port = digits == 0 || digits > 5 ? 0 : std::stol(rest.substr(0, digits));
    if (port < 1 || port > 65535 || (digits < rest.size() && rest[digits] != '/')) return {};
    return "http://127.0.0.1:" + rest;
  }
  return {};
}

// Reads an optional number within its documented bounds. False: it is none, or out of them.
bool bounded(const json::object& from, std::string_view name, std::int64_t least, std::int64_t most, std::int64_t& out) {
  const auto* value = from.if_contains(name);
  if (!value) return true;
  if (!value->is_int64() || value->get_int64() < least || value->get_int64() > most) return false;
  out = value->get_int64();
  return true;
}

}  // namespace

std::vector<std::string> extensions_in(const std::string& layers_dir) {
  std::vector<std::string> names;
  std::error_code error;
  if (layers_dir.empty()) return names;
  for (const auto& entry : fs::directory_iterator(layers_dir + "/extensions", error)) {
    if (entry.is_regular_file(error) && access(entry.path().c_str(), X_OK) == 0) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Extensions::Extensions(asio::io_context& context, const Clock& clock, Entropy& entropy, Setup setup, Events events)
    : context_(context), clock_(clock), entropy_(entropy), setup_(std::move(setup)), events_(std::move(events)), changed_(context), client_(std::make_unique<http::Client>()) {}

void Extensions::connect_by(std::function<Fd()> socket) { client_ = std::make_unique<http::Client>(http::ClientOptions{.socket = std::move(socket)}); }

bool Extensions::serves(std::string_view path) {
  return path.starts_with(kExtension) || path.starts_with(kTelemetry) || path.starts_with(kLogs) || path.starts_with(kEnded);
}

awaitable<http::Response> Extensions::handle(http::Request request) {
  const auto self = shared_from_this();  // the request may outlive the worker's own hold
  const std::string path(request.path());
  if (path.starts_with(kEnded)) co_return request.method == "POST" ? ended(std::string_view(path).substr(kEnded.size())) : answer(405, "{}");
  if (path.starts_with(kLogs)) co_return refused(403, "Logs.NotSupported", "The Logs API is not available: it was superseded by the Telemetry API");
  if (path == std::string(kExtension) + "register") co_return request.method == "POST" ? register_one(request) : answer(405, "{}");
  const std::string id(request.headers.get("Lambda-Extension-Identifier"));
  if (id.empty()) co_return refused(403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header");
  const auto found = extensions_.find(id);
  if (found == extensions_.end()) co_return refused(403, "Extension.UnknownExtensionIdentifier", "Unknown extension " + id.substr(0, 64));
  Extension& extension = found->second;
  if (path == kTelemetry || path == std::string(kTelemetry) + "/") co_return request.method == "PUT" ? subscribe(extension, request) : answer(405, "{}");
  if (path == std::string(kExtension) + "event/next") co_return request.method == "GET" ? co_await next(extension) : answer(405, "{}");
  const bool init = path == std::string(kExtension) + "init/error";
  if (init || path == std::string(kExtension) + "exit/error") co_return request.method == "POST" ? report_error(extension, request, init) : answer(405, "{}");
  co_return answer(404, "{}");
}

http::Response Extensions::register_one(const http::Request& request) {
  const std::string name(request.headers.get("Lambda-Extension-Name"));
  if (name.empty() || name.size() > 128) return refused(403, "Extension.InvalidExtensionName", "Empty extension name");
  json::error_code failed;
  const auto body = json::parse(request.body.empty() ? "{}" : request.body, failed);
  if (failed || !body.is_object()) return refused(403, "InvalidRequestFormat", "the body is not a JSON object");
  const bool external = std::ranges::find(setup_.external, name) != setup_.external.end();
  Extension made{.name = name, .id = entropy_.uuid(), .external = external, .events = {}, .queue = {}};
  if (const auto* wanted = body.get_object().if_contains("events")) {
    if (!wanted->is_array()) return refused(403, "InvalidRequestFormat", "events is not a list");
    for (const auto& event : wanted->get_array()) {
      const std::string type = event.is_string() ? std::string(event.get_string()) : "";
      if (type == "SHUTDOWN" && !external) return refused(403, "Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension");
      if (type != "INVOKE" && type != "SHUTDOWN") return refused(403, "Extension.InvalidEventType", type.substr(0, 64) + ": InvalidEventType");
      made.events.insert(type);
    }
  }
  if (!open_) return refused(403, "Extension.RegistrationClosed", "Extension registration closed already");
  for (const auto& [id, other] : extensions_) {
    if (other.name == name) return refused(403, "Extension.InvalidExtensionState", "Extension with this name already registered");
  }
  if (extensions_.size() >= kExtensionsMax) return refused(403, "Extension.TooManyExtensions", fmt::format("Extension limit ({}) reached", kExtensionsMax));
  grace_ms_ = std::max(grace_ms_.load(), external ? kGraceExternalMs : kGraceInternalMs);
  json::object out{{"functionName", setup_.function.name}, {"functionVersion", setup_.function.version}, {"handler", setup_.function.handler}};
  if (request.headers.get("Lambda-Extension-Accept-Feature").find("accountId") != std::string_view::npos) out["accountId"] = setup_.function.account;
  http::Response response = answer(200, json::serialize(out));
  response.headers.add("Lambda-Extension-Identifier", made.id);
  json::array types;
  for (const std::string& type : made.events) types.emplace_back(type);
  record("platform.extension", json::object{{"name", name}, {"state", "Registered"}, {"events", std::move(types)}});
  const std::string id = made.id;
  extensions_.emplace(id, std::move(made));
  return response;
}

awaitable<http::Response> Extensions::next(Extension& extension) {  // a map's elements stay where they are
  if (extension.waiting || extension.ended) co_return refused(403, "Extension.InvalidExtensionState", "State transition from Ready to Ready failed for extension " + extension.id + ". Error: State transition is not allowed");
  extension.waiting = true;
  tell_when_ready();
  while (extension.queue.empty() && !closed_) {
    changed_.expires_at(std::chrono::steady_clock::time_point::max());
    boost::system::error_code ended;
    co_await changed_.async_wait(asio::redirect_error(use_awaitable, ended));
  }
  if (extension.queue.empty()) co_return answer(500, "{}");
  http::Response response = answer(200, std::move(extension.queue.front()));
  extension.queue.pop_front();
  response.headers.add("Lambda-Extension-Event-Identifier", entropy_.uuid());
  co_return response;
}

http::Response Extensions::report_error(Extension& extension, const http::Request& request, bool at_init) {
  const std::string type(request.headers.get("Lambda-Extension-Function-Error-Type"));
  if (type.empty()) return refused(403, "Extension.MissingHeader", "Missing Lambda-Extension-Function-Error-Type header");
  if (at_init && !open_) return refused(403, "Extension.InvalidExtensionState", "the init phase is over");
  extension.ended = true;
  if (events_.failed) events_.failed(type.substr(0, 256), fmt::format("Extension {} {}: {}", extension.name, at_init ? "failed to initialize" : "exits", type.substr(0, 256)));
  return answer(202, "{\"status\":\"OK\"}\n");
}

http::Response Extensions::subscribe(const Extension& extension, const http::Request& request) {
  const auto invalid = [](std::string_view message) { return refused(400, "ValidationError", message); };
  if (!open_) return refused(403, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed already");
  json::error_code failed;
  const auto body = json::parse(request.body, failed);
  if (failed || !body.is_object()) return invalid("the body is not a JSON object");
  const json::object& in = body.get_object();
  const std::string version = text(in, "schemaVersion");
  if (version != "2022-07-01" && version != "2022-12-13" && version != "2025-01-29") return invalid("schemaVersion should be 2025-01-29, 2022-12-13 or 2022-07-01");
  const auto* where = in.if_contains("destination");
  if (!where || !where->is_object()) return invalid("destination is required");
  if (text(where->get_object(), "protocol") != "HTTP") return invalid("destination.protocol must be HTTP: TCP is not available on this platform");
  Subscriber made;
  made.url = destination(text(where->get_object(), "URI"));
  if (made.url.empty()) return invalid("destination.URI must be http://sandbox.localdomain:PORT");
  const auto* types = in.if_contains("types");
  if (!types || !types->is_array() || types->get_array().empty()) return invalid("types is required");
  for (const auto& type : types->get_array()) {
    const std::string name = type.is_string() ? std::string(type.get_string()) : "";
    if (name != "platform" && name != "function" && name != "extension") return invalid("types may be platform, function and extension");
    made.types.insert(name);
  }
  if (const auto* buffering = in.if_contains("buffering")) {
    std::int64_t items = 10'000, bytes = 262'144, patience = 1000;
    if (!buffering->is_object() || !bounded(buffering->get_object(), "maxItems", 1'000, 10'000, items) || !bounded(buffering->get_object(), "maxBytes", 262'144, 1'048'576, bytes) ||
        !bounded(buffering->get_object(), "timeoutMs", 25, 30'000, patience))
      return invalid("buffering: maxItems 1000 to 10000, maxBytes 262144 to 1048576, timeoutMs 25 to 30000");
    made.items_max = static_cast<std::size_t>(items), made.bytes_max = static_cast<std::size_t>(bytes), made.patience = std::chrono::milliseconds(patience);
  }
  const json::value list = *types;
  subscribers_[extension.id] = std::move(made);
  if (!subscribed_.exchange(true)) {
    const Function& function = setup_.function;
    record("platform.initStart", json::object{{"initializationType", "on-demand"}, {"phase", "init"}, {"functionName", function.name}, {"functionVersion", function.version}});
  }
  record("platform.telemetrySubscription", json::object{{"name", extension.name}, {"state", "Subscribed"}, {"types", list}});
  return answer(200, "\"OK\"");
}

// The starter of the extensions tells of each end.
http::Response Extensions::ended(std::string_view name_and_code) {
  const std::size_t slash = name_and_code.rfind('/');
  const std::string name(name_and_code.substr(0, slash)), code(slash == std::string_view::npos ? "" : name_and_code.substr(slash + 1, 8));
  bool registered = false;
  for (auto& [id, extension] : extensions_) {
    if (extension.name != name || !extension.external) continue;
    registered = true;
    if (extension.ended) return answer(202, "{}");
    extension.ended = true;
  }
  if (grace_ms_ < 0) tell_when_ready();  // it was asked to
  else if (events_.failed && (registered || std::ranges::find(setup_.external, name) != setup_.external.end()))
    events_.failed("Extension.Crash", fmt::format("Error: extension {} exited with status {}", name, code));
  return answer(202, "{}");
}

bool Extensions::ready() const {
  std::size_t external = 0;
  for (const auto& [id, extension] : extensions_) {
    if (extension.external) ++external;
    if (!extension.waiting && !extension.ended) return false;
  }
  return external >= setup_.external.size();
}

void Extensions::tell_when_ready() {
  if (ready() && events_.ready) events_.ready();
}

void Extensions::invoke(const Call& call) {
  for (auto& [id, extension] : extensions_) {
    if (!extension.events.contains("INVOKE") || extension.ended) continue;
    json::object event{{"eventType", "INVOKE"}, {"deadlineMs", call.deadline_ms}, {"requestId", call.request_id}, {"invokedFunctionArn", call.arn}};
    if (!call.trace.empty()) event["tracing"] = json::object{{"type", "X-Amzn-Trace-Id"}, {"value", call.trace}};
    extension.queue.push_back(json::serialize(event));
    extension.waiting = false;
  }
  changed_.cancel();
}

bool Extensions::shutdown(std::string_view reason) {
  bool told = false;
  const auto deadline = clock_.wall().time_since_epoch().count() + std::abs(grace_ms_.load());
  for (auto& [id, extension] : extensions_) {
    if (!extension.events.contains("SHUTDOWN") || extension.ended) continue;
    extension.queue.push_back(json::serialize(json::object{{"eventType", "SHUTDOWN"}, {"shutdownReason", reason}, {"deadlineMs", deadline}}));
    extension.waiting = false;
    told = true;
  }
  grace_ms_ = -std::abs(grace_ms_.load());  // from here on an end is no failure
  changed_.cancel();
  return told;
}

void Extensions::close() {
  closed_ = true;
  events_ = {};
  changed_.cancel();
}

void Extensions::record(std::string_view type, json::value what) {
  if (subscribers_.empty() || closed_) return;
  const std::string kind(type.substr(0, type.find('.')));
  const std::string line = json::serialize(json::object{{"time", format_iso8601(clock_.wall())}, {"type", type}, {"record", std::move(what)}});
  for (auto& [id, subscriber] : subscribers_) {
    if (!subscriber.types.contains(kind)) continue;
    subscriber.bytes += line.size();
    subscriber.waiting.push_back(line);
    while (subscriber.waiting.size() > subscriber.items_max) {
      subscriber.bytes -= subscriber.waiting.front().size();
      subscriber.waiting.pop_front();
      ++subscriber.dropped;
    }
    if (std::exchange(subscriber.sending, true)) continue;
    asio::co_spawn(context_, deliver(shared_from_this(), id), [](std::exception_ptr) {});
  }
}

// One batch after another while there are records; waits for more as long as the subscriber allows.
awaitable<> Extensions::deliver(std::shared_ptr<Extensions> self, std::string id) {
  Subscriber& subscriber = self->subscribers_.at(id);
  asio::steady_timer timer(self->context_);
  while (!subscriber.waiting.empty() && !self->closed_) {
    const auto until = std::chrono::steady_clock::now() + subscriber.patience;
    while (subscriber.bytes < subscriber.bytes_max && subscriber.waiting.size() < subscriber.items_max && std::chrono::steady_clock::now() < until && !self->closed_ && self->grace_ms_ >= 0) {
      timer.expires_after(std::chrono::milliseconds(25));
      co_await timer.async_wait(use_awaitable);
    }
    http::Request request;
    request.method = "POST";
    request.headers.add("Content-Type", "application/json");
    request.body = "[";
    while (!subscriber.waiting.empty() && request.body.size() < subscriber.bytes_max) {
      if (request.body.size() > 1) request.body += ',';
      request.body += subscriber.waiting.front();
      subscriber.bytes -= subscriber.waiting.front().size();
      subscriber.waiting.pop_front();
    }
    request.body += "]";
    const std::string url = subscriber.url;
    try {
      co_await self->client_->send(url, std::move(request), std::chrono::milliseconds(2000));
    } catch (const http::ClientError&) {  // nobody listens: as on Lambda, what was sent is lost
    }
    if (const std::size_t dropped = std::exchange(subscriber.dropped, 0)) self->record("platform.logsDropped", json::object{{"reason", "the subscriber is too slow"}, {"droppedRecords", dropped}});
  }
  subscriber.sending = false;
}

}  // namespace parvis::functions
