#include "functions/response_stream.h"

#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace parvis::functions {
namespace {

constexpr std::string_view kDelimiter("\0\0\0\0\0\0\0\0", 8);
constexpr std::string_view kDefaultContentType = "application/octet-stream";

// Calls the sink until it throws once.
class GuardedSink {
 public:
  GuardedSink(ResponseSink& sink, StreamPipe& pipe) : sink_(sink), pipe_(pipe) {}
  awaitable<> begin(StreamHead head) {
    begun_ = true;
    try {
      co_await sink_.begin(std::move(head));
    } catch (const std::exception& error) {
      fail(error);
    }
  }
  awaitable<> write(std::string bytes) {
    if (failed_ || bytes.empty()) co_return;
    try {
      co_await sink_.write(std::move(bytes));
    } catch (const std::exception& error) {
      fail(error);
    }
  }
  bool begun() const { return begun_; }

 private:
  void fail(const std::exception& error) {
    spdlog::debug("a streamed answer is dropped: {}", error.what());
    failed_ = true;
    pipe_.drop_rest();
  }
  ResponseSink& sink_;
  StreamPipe& pipe_;
  bool begun_ = false, failed_ = false;
};

}  // namespace

PreludeSplitter::PreludeSplitter(std::string content_type) : content_type_(std::move(content_type)) {
  if (content_type_.empty()) content_type_ = kDefaultContentType;
}

std::optional<StreamHead> PreludeSplitter::feed(std::string bytes, std::string& body) {
  if (content_type_ != kPreludeContentType) {
    body = std::move(bytes);
    return StreamHead{.content_type = content_type_, .has_prelude = false, .prelude = {}, .streamed = true};
  }
  const std::size_t from = held_.size() < kDelimiter.size() ? 0 : held_.size() - kDelimiter.size() + 1;
  held_ += bytes;
  const std::size_t at = held_.find(kDelimiter, from);
  if (at == std::string::npos) {
    if (held_.size() > kPreludeBytesMax) return finish(body);
    return std::nullopt;
  }
  body = held_.substr(at + kDelimiter.size());
  held_.resize(at);
  return StreamHead{.content_type = content_type_, .has_prelude = true, .prelude = std::move(held_), .streamed = true};
}

StreamHead PreludeSplitter::finish(std::string& body) {
  body = std::move(held_);
  return StreamHead{.content_type = content_type_, .has_prelude = false, .prelude = {}, .streamed = true};
}

void StreamPipe::push(Event event) {
  std::move_only_function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (auto* bytes = std::get_if<std::string>(&event)) {
      if (dropping_) return;
      held_bytes_ += bytes->size();
    }
    events_.push_back(std::move(event));
    wake = std::exchange(wake_, nullptr);
  }
  if (wake) wake();
}

bool StreamPipe::pause_when_full(std::function<void()> resume) {
  const std::lock_guard lock(mutex_);
  if (held_bytes_ <= kHighBytes || dropping_) return false;
  resume_ = std::move(resume);
  return true;
}

void StreamPipe::drop_rest() {
  std::function<void()> resume;
  {
    const std::lock_guard lock(mutex_);
    dropping_ = true;
    std::erase_if(events_, [](const Event& event) { return std::holds_alternative<std::string>(event); });
    held_bytes_ = 0;
    resume = std::exchange(resume_, nullptr);
  }
  if (resume) resume();
}

awaitable<StreamPipe::Event> StreamPipe::next() {
  auto wait = [this](auto handler) {
    auto executor = asio::get_associated_executor(handler);
    std::move_only_function<void()> wake = [executor, work = asio::make_work_guard(executor), handler = std::move(handler)]() mutable {
      asio::post(executor, std::move(handler));
    };
    {
      const std::lock_guard lock(mutex_);
      if (events_.empty()) {
        wake_ = std::move(wake);
        return;
      }
    }
    wake();
  };
  std::unique_lock lock(mutex_);
  if (events_.empty()) {
    lock.unlock();
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(wait), use_awaitable);
    lock.lock();
  }
  Event event = std::move(events_.front());
  events_.pop_front();
  std::function<void()> resume;
  if (const auto* bytes = std::get_if<std::string>(&event)) {
    held_bytes_ -= bytes->size();
    if (held_bytes_ <= kHighBytes / 2) resume = std::exchange(resume_, nullptr);
  }
  lock.unlock();
  if (resume) resume();
  co_return event;
}

awaitable<InvocationResult> deliver(std::shared_ptr<StreamPipe> pipe, ResponseSink& sink) {
  GuardedSink guarded(sink, *pipe);
  std::optional<PreludeSplitter> splitter;
  for (;;) {
    StreamPipe::Event event = co_await pipe->next();
    std::string body;
    if (auto* begin = std::get_if<StreamPipe::Begin>(&event)) {
      splitter.emplace(std::move(begin->content_type));
    } else if (auto* bytes = std::get_if<std::string>(&event)) {
      if (guarded.begun()) {
        co_await guarded.write(std::move(*bytes));
      } else if (auto head = splitter->feed(std::move(*bytes), body)) {
        co_await guarded.begin(std::move(*head));
        co_await guarded.write(std::move(body));
      }
    } else {
      InvocationResult result = std::move(std::get<InvocationResult>(event));
      if (splitter && !guarded.begun() && result.outcome == Outcome::kOk) {  // an empty answer, or one without its prelude's end
        co_await guarded.begin(splitter->finish(body));
        co_await guarded.write(std::move(body));
      } else if (!splitter && result.outcome == Outcome::kOk) {
        co_await guarded.begin({.content_type = "application/json", .has_prelude = false, .prelude = {}, .streamed = false});
        co_await guarded.write(std::exchange(result.payload, {}));
      }
      result.streamed = guarded.begun();
      co_return result;
    }
  }
}

}  // namespace parvis::functions
