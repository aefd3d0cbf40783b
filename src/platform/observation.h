// platform/observation.h: what the services report of their work, as events of the stream (docs/events.md).
#pragma once

#include "aws/pipeline.h"
#include "functions/engine.h"
#include "platform/event_stream.h"
#include "services/apigateway/site.h"
#include "services/lambda/invoke.h"

namespace parvis::platform {

class Observation {  // thread-safe; `events` outlives it. Nothing is built while nobody reads the stream.
 public:
  explicit Observation(EventStream& events) : events_(events) {}
  void call(const aws::CallRecord& call);
  void request(const apigateway::RequestRecord& request);
  void invocation(const lambda::InvocationRecord& invocation);
  void log(const functions::LogLine& line);

 private:
  EventStream& events_;
};

// "ok", "functionError", "timedOut", "crashed", "throttled", "initError".
std::string_view outcome_name(functions::Outcome outcome);

}  // namespace parvis::platform
