// functions/response_stream.h: a streamed answer on its way from the worker to the caller, and the prelude at its head.
// Source: Lambda Developer Guide, "Response streaming for Lambda functions"; the prelude's form is that of the runtimes' HttpResponseStream.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/async.h"
#include "functions/engine.h"

namespace parvis::functions {

inline constexpr std::size_t kStreamBytesMax = 200u << 20;
inline constexpr std::size_t kPreludeBytesMax = 64u << 10;
inline constexpr std::string_view kPreludeContentType = "application/vnd.awslambda.http-integration-response";

// Finds the prelude in the first bytes of a stream. Pure.
class PreludeSplitter {
 public:
  explicit PreludeSplitter(std::string content_type);
  // Takes bytes of the answer. The head, once it is known; nullopt: more bytes are needed. `body` gets what follows the prelude.
  std::optional<StreamHead> feed(std::string bytes, std::string& body);
  // The answer has ended before a prelude did: everything is body.
  StreamHead finish(std::string& body);

 private:
  std::string content_type_, held_;
};

// Between one producer (the engine) and one consumer (the caller's coroutine). Thread-safe.
class StreamPipe {
 public:
  static constexpr std::size_t kHighBytes = 256u << 10;  // held for a slow consumer; past it the producer pauses

  struct Begin { std::string content_type; };
  using Event = std::variant<Begin, std::string, InvocationResult>;

  void push(Event event);
  // The producer stops when this is true, and `resume` is called (by the consumer's thread) when it may go on.
  bool pause_when_full(std::function<void()> resume);
  void drop_rest();  // the consumer wants no more bytes
  awaitable<Event> next();

 private:
  std::mutex mutex_;
  std::deque<Event> events_;
  std::size_t held_bytes_ = 0;
  bool dropping_ = false;
  std::function<void()> resume_;
  std::move_only_function<void()> wake_;  // of the waiting consumer
};

// Reads the pipe to its end into the sink.
awaitable<InvocationResult> deliver(std::shared_ptr<StreamPipe> pipe, ResponseSink& sink);

}  // namespace parvis::functions
