#include "services/cloudformation/custom_answers.h"

#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "storage/tuple.h"

namespace parvis::cloudformation {
namespace {

constexpr std::chrono::hours kKept{24};
constexpr int kAttemptsMax = 20;
constexpr std::size_t kReadBytesMax = 64u << 10;

std::string prefix() {
  storage::TupleWriter key;
  key.string("*").string("cloudformation").string("custom");  // no account id is a star
  return key.take();
}
std::string key_of(const std::string& id) { return storage::TupleWriter(prefix()).string(id).take(); }

std::string text(const json::object& members, std::string_view name) {
  const json::value* found = members.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

http::Response reply(unsigned status, std::string body) {
  http::Response out;
  out.status = status;
  out.headers.add("Content-Type", "text/plain");
  out.body = std::move(body);
  return out;
}

}  // namespace

awaitable<std::optional<CustomAnswers::Record>> CustomAnswers::find(std::string id) {
  const std::string key = key_of(id);
  const auto found = co_await vault_.store.snapshot()->get(key);
  if (!found) co_return std::nullopt;
  auto members = vault_.open(found->bytes, key);
  if (!members) throw std::runtime_error("the record of a custom resource's request cannot be read");
  co_return Record{std::move(*members), found->version};
}

awaitable<bool> CustomAnswers::write(std::string id, json::object members, std::optional<storage::Version> expected) {
  const std::string key = key_of(id), bytes = vault_.close(members, key);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    storage::Commit commit;
    commit.check(key, expected).put(key, bytes);
    const auto done = co_await vault_.store.commit(std::move(commit));
    if (done) co_return true;
    const auto now = co_await vault_.store.snapshot()->get(key);
    if (now && now->bytes == bytes) co_return true;
    if ((now ? std::optional(now->version) : std::nullopt) != expected) co_return false;
  }
  throw std::runtime_error("the store did not take the record of a custom resource's request");
}

awaitable<> CustomAnswers::forget_old() {
  const std::string begin = prefix();
  const storage::ScanPage page = co_await vault_.store.snapshot()->scan({.begin = begin, .end = storage::prefix_end(begin), .limit = 200});
  const std::int64_t before = std::chrono::duration_cast<std::chrono::milliseconds>((clock_.wall() - kKept).time_since_epoch()).count();
  storage::Commit old;
  for (const storage::Entry& entry : page.entries) {
    const auto members = vault_.open(entry.value, entry.key);
    if (!members || members->at("made").as_int64() < before) old.erase(entry.key);
  }
  if (old.writes()) co_await vault_.store.commit(std::move(old));  // what stays is found again
}

awaitable<CustomAnswers::Request> CustomAnswers::open(std::string id) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    std::optional<Record> found = co_await find(id);
    if (!found) {
      co_await forget_old();
      json::object fresh{{"secret", vault_.entropy.token(40)}, {"made", clock_.wall().time_since_epoch().count()}};
      if (!co_await write(id, fresh, std::nullopt)) continue;
      found = Record{std::move(fresh), 0};
    }
    Request out;
    out.url = base_url_ + std::string(kAnswerPath) + id + "/" + text(found->members, "secret");
    if (found->members.contains("answer")) out.answer = text(found->members, "answer");
    out.told = text(found->members, "told");
    co_return out;
  }
  throw std::runtime_error("the record of a custom resource's request is being changed");
}

awaitable<std::optional<std::string>> CustomAnswers::answer(std::string id) {
  const auto found = co_await find(std::move(id));
  if (!found || !found->members.contains("answer")) co_return std::nullopt;
  co_return text(found->members, "answer");
}

awaitable<> CustomAnswers::tell_failure(std::string id, std::string how) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    auto found = co_await find(id);
    if (!found) co_return;
    found->members["told"] = how;
    if (co_await write(id, std::move(found->members), found->version)) co_return;
  }
}

awaitable<http::Response> CustomAnswers::handle(http::Request request) {
  const std::string path(request.path());
  const std::size_t slash = path.find('/', kAnswerPath.size());
  if (slash == std::string::npos) co_return reply(403, "This is not the address of a request.");
  const std::string id = path.substr(kAnswerPath.size(), slash - kAnswerPath.size()), secret = path.substr(slash + 1);
  if (id.size() > 64) co_return reply(403, "This is not the address of a request.");
  // A PUT may come as a stream, because objects do. What is far too long is not read to its end.
  std::string sent = std::move(request.body);
  while (request.stream && sent.size() < kReadBytesMax) {
    auto piece = co_await request.stream->read();
    if (!piece) break;
    sent += *piece;
  }
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    auto found = co_await find(id);
    // Nothing tells the one who guesses whether the request or its secret is wrong.
    if (!found || !equal_constant_time(text(found->members, "secret"), secret)) co_return reply(403, "This is not the address of a request.");
    if (request.method != "PUT") co_return reply(405, "An answer is sent by PUT.");
    // A longer one is kept as far as is needed to say that it is too long.
    const std::string body = to_utf8(std::string_view(sent).substr(0, kAnswerBytesMax + 1));
    if (found->members.contains("answer")) {
      co_return text(found->members, "answer") == body ? reply(200, "") : reply(409, "This request was answered already.");
    }
    found->members["answer"] = body;
    if (co_await write(id, std::move(found->members), found->version)) co_return reply(200, "");
  }
  co_return reply(503, "Try again.");
}

}  // namespace parvis::cloudformation
