// aws/event_stream.h: answers that are a stream of events: what a handler gives, and how it goes over the wire.
// Source: the Smithy specification, "Amazon Event Stream Specification" (application/vnd.amazon.eventstream).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/async.h"

namespace parvis::aws {

struct Shape;

// Takes events one by one; write() returns when the reader has taken enough for the next one.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // `event`: the generated union of the stream's events, with one member set.
  virtual awaitable<> write(std::shared_ptr<const void> event) = 0;
};

// The member of an output that is an event stream. `run` is called once, with the answer's head on its way already: what goes
// wrong from there on is an event.
struct EventStream {
  std::function<awaitable<>(EventSink&)> run;
};

// One message. Header values are strings.
std::string encode_message(const std::vector<std::pair<std::string_view, std::string_view>>& headers, std::string_view payload);
// The message of `event`, a value of the union `events`.
std::string encode_event(const Shape& events, const void* event);

}  // namespace parvis::aws
