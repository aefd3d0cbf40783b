#include "platform/admin.h"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "platform/edge.h"
#include "platform/stored_bytes.h"
#include "storage/backup.h"

namespace parvis::platform {
namespace {

constexpr int kWipesMax = 100;  // what still runs may write once more
constexpr std::chrono::milliseconds kWipePause{30};

// "2026-11-25" → 20261125
std::optional<std::uint64_t> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  std::uint64_t day = 0;
  for (const char letter : text) {
    if (letter == '-') continue;
    if (letter < '0' || letter > '9') return std::nullopt;
    day = day * 10 + static_cast<std::uint64_t>(letter - '0');
  }
  return day;
}

}  // namespace

std::map<std::string, Admin::Handler, std::less<>> Admin::routes() {
  return {{"GET /_parvis/backup", [this](http::Request) { return backup(); }},
          {"GET /_parvis/detached", [this](http::Request) { return detached(); }},
          {"POST /_parvis/prune", [this](http::Request request) {
             std::string stack;
             for (auto& [name, value] : http::parse_query(request.query()))
               if (name == "stack") stack = std::move(value);
             return prune(std::move(stack));
           }},
          {"GET /_parvis/usage", [this](http::Request request) { return usage(std::move(request)); }},
          {"POST /_parvis/reset", [this](http::Request) { return reset(); }}};
}

awaitable<http::Response> Admin::backup() {
  http::Response response;
  response.headers.add("Content-Type", "application/octet-stream");
  response.headers.add("Cache-Control", "no-store");
  response.stream = [this](http::ByteSink& sink) -> awaitable<> {
    return [](AdminParts& parts, http::ByteSink& to) -> awaitable<> {
      co_await storage::write_backup(parts.store.snapshot(), parts.clock.wall(), "parvis " + parts.version,
                                     [&to](std::string piece) { return to.write(std::move(piece)); });
    }(parts_, sink);
  };
  co_return response;
}

awaitable<http::Response> Admin::detached() {
  boost::json::array found;
  for (const templates::Stack& stack : co_await parts_.stacks.list(parts_.scope))
    for (const templates::StackResource& resource : stack.detached)
      found.push_back({{"stack", stack.name}, {"logicalId", resource.logical_id}, {"type", resource.type}, {"physicalId", resource.physical_id}});
  co_return json_response(200, {{"detached", std::move(found)}});
}

awaitable<http::Response> Admin::prune(std::string stack) {
  if (stack.empty()) co_return json_response(400, {{"message", "name the stack: POST /_parvis/prune?stack=NAME"}});
  const auto removed = co_await parts_.stacks.prune(stack, parts_.pipeline.make_context(parts_.scope, "prune"));
  if (!removed) {
    std::string errors;
    for (const auto& error : removed.error()) errors += (errors.empty() ? "" : "\n") + error.str();
    co_return json_response(409, {{"message", errors}});
  }
  co_return json_response(200, {{"removed", boost::json::value_from(*removed)}});
}

awaitable<http::Response> Admin::usage(http::Request request) {
  std::uint64_t first = 0, last = 99991231;
  for (const auto& [name, value] : http::parse_query(request.query())) {
    const auto day = parse_day(value);
    if ((name != "from" && name != "to") || !day)
      co_return json_response(400, {{"message", fmt::format("{}={}: there are from and to, days as 2026-11-25", name, value)}});
    (name == "from" ? first : last) = *day;
  }
  co_await parts_.usage->flush();
  const auto counts = co_await parts_.usage->read(first, last);
  co_return json_response(200, usage_json(counts, co_await stored_bytes(parts_.store, parts_.pipeline, *parts_.logs)));
}

// Through the service, so that workers of the functions end.
awaitable<> Admin::remove_functions() {
  for (const aws::Scope& scope : co_await scopes_of(parts_.store)) {
    for (;;) {
      const auto list = co_await parts_.pipeline.call_json(parts_.pipeline.make_context(scope, "reset"), "lambda", "ListFunctions", boost::json::object{});
      const auto& functions = list.at("Functions").as_array();
      if (functions.empty()) break;
      for (const auto& function : functions)
        co_await parts_.pipeline.call_json(parts_.pipeline.make_context(scope, "reset"), "lambda", "DeleteFunction",
                                           {{"FunctionName", function.at("FunctionName")}});
    }
  }
}

awaitable<std::size_t> Admin::wipe() {
  for (std::size_t removed = 0;;) {
    const storage::ScanPage page = co_await parts_.store.snapshot()->scan({.limit = storage::kCommitKeysMax / 2, .bytes_max = storage::kCommitBytesMax / 2});
    if (page.entries.empty()) co_return removed;
    storage::Commit commit;
    for (const storage::Entry& entry : page.entries) commit.erase(entry.key);
    removed += page.entries.size();
    const auto done = co_await parts_.store.commit(std::move(commit));
    if (!done && done.error().code != storage::StoreErrc::kUnknownOutcome)
      throw std::runtime_error(fmt::format("the store refuses: {}", done.error().detail));
  }
}

awaitable<http::Response> Admin::reset() {
  if (!parts_.reset_refusal.empty()) co_return json_response(403, {{"message", parts_.reset_refusal}});
  if (resetting_.exchange(true)) co_return json_response(409, {{"message", "a reset is under way"}});
  http::Response response;
  try {
    co_await remove_functions();
    co_await parts_.before_reset();
    std::size_t removed = 0;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    bool empty = false;
    for (int round = 0; round < kWipesMax && !empty; ++round) {
      const std::size_t now = co_await wipe();
      removed += now;
      empty = round > 0 && now == 0;
      timer.expires_after(kWipePause);
      if (!empty) co_await timer.async_wait(use_awaitable);
    }
    co_await parts_.after_reset();
    response = empty ? json_response(200, {{"status", "empty"}, {"removedKeys", removed}})
                     : json_response(503, {{"message", "requests go on writing; stop them and reset again"}});
  } catch (const std::exception& error) {
    response = json_response(500, {{"message", fmt::format("the reset is not complete: {}", error.what())}});
  }
  resetting_ = false;
  co_return response;
}

}  // namespace parvis::platform
