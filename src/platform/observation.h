// platform/observation.h: what the services report of their work: counted per resource, and as events of the stream (docs/events.md).
#pragma once

#include "aws/pipeline.h"
#include "functions/engine.h"
#include "platform/event_stream.h"
#include "platform/usage.h"
#include "services/apigateway/site.h"
#include "services/lambda/invoke.h"

namespace parvis::platform {

class Observation {  // thread-safe; both outlive it. No event is built while nobody reads the stream.
 public:
  Observation(EventStream& events, UsageMeter& usage) : events_(events), usage_(usage) {}
  void call(const aws::CallRecord& call);
  void request(const apigateway::RequestRecord& request);
  void invocation(const lambda::InvocationRecord& invocation);
  void log(const functions::LogLine& line);

 private:
  EventStream& events_;
  UsageMeter& usage_;
};

// "ok", "functionError", "timedOut", "crashed", "throttled", "initError".
std::string_view outcome_name(functions::Outcome outcome);

}  // namespace parvis::platform
