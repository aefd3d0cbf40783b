// aws/pipeline.h: the one way an AWS API call takes, from HTTP or from inside: find the operation, authenticate, authorize,
// decode, validate, handle, encode, and tell the observer. Whatever a handler throws becomes the wire's error here, once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "aws/api_call.h"
#include "aws/model.h"
#include "aws/router.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "http/message.h"

namespace parvis::aws {

// Who calls, and where. The account is a key id of 12 digits, or what the credentials belong to.
struct Identity {
  Principal principal;
  Scope scope;
};

// One finished call, for metering, tracing and the live log. Names a service and an operation also when there is no handler.
struct CallRecord {
  std::string service, operation;
  CallContext call;
  unsigned status = 200;
  std::string error_code, error_message;  // empty when it went well
  std::uint64_t duration_us = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;  // of whole bodies; 0 for calls from inside and for streams
  std::vector<std::string> resources;         // what it was about, for the meter: tables, a function, a bucket (resource_name.h)
  std::vector<std::string> ignored;           // members that the model does not know, as paths
  std::vector<std::string> warnings;          // sentences on members that were accepted without their effect
};

struct CallCounters {
  std::uint64_t calls = 0, client_errors = 0, server_errors = 0, bytes_in = 0, bytes_out = 0, duration_us = 0;
};

struct PipelineOptions {
  // Verifies the request's signature and says who made it; throws ApiError. It may replace body or stream (S3's signed
  // chunks). Absent: anyone is accepted and identity_of() decides. `service` is the model's signing name.
  std::function<awaitable<Identity>(http::Request& request, std::string_view service)> authenticate = {};
  // Called after authentication with the decoded input; throws ApiError (AccessDenied). Absent: all is allowed.
  std::function<awaitable<>(const CallContext& call, const OperationModel& op, const void* input)> authorize = {};
  // Called once per call, on the call's own thread; it must be quick and must not throw.
  std::function<void(const CallRecord&)> observe = {};
  std::string default_account = "000000000000";
  std::string default_region = "us-east-1";
};

class Pipeline : public ApiClient {
 public:
  // The registry is complete by now: bind first. All arguments outlive the pipeline.
  Pipeline(const Registry& registry, const Clock& clock, Entropy& entropy, PipelineOptions options);
  ~Pipeline() override;

  // Never throws for anything the request can cause. Limits: bodies as the server's, JSON and XML 256 levels deep,
  // 10,000 query parameters.
  awaitable<http::Response> handle(http::Request request);
  // Whether the operation that this head asks for wants its body as a stream (http::ServerOptions::wants_stream).
  bool wants_stream(const http::Request& head) const;
  // The model's service that this head asks for ("s3"); empty: none.
  std::string_view service_of(const http::Request& head) const;

  awaitable<boost::json::value> call_json(CallContext call, std::string_view service, std::string_view operation,
                                          boost::json::value input) override;
  awaitable<std::shared_ptr<void>> invoke(CallContext call, const OperationModel& op, std::shared_ptr<void> input) override;

  // Per "service:Operation", since start.
  std::map<std::string, CallCounters> counters() const;
  // A fresh context for a call that the platform itself makes.
  CallContext make_context(Scope scope, std::string origin) const;

 private:
  struct Atomics;
  awaitable<http::Response> answer(http::Request& request, const Route& route, CallRecord& record);
  awaitable<std::shared_ptr<void>> run(const Registry::Entry& entry, CallRecord& record, std::shared_ptr<void> input);
  CallContext context_of(const http::Request& request, const Route& route) const;
  // `op` is null when there is no handler.
  void finish(CallRecord& record, std::chrono::steady_clock::time_point start, const OperationModel* op) noexcept;
  Atomics& counters_of(const CallRecord& record, const OperationModel* op);
  std::string request_id(std::string_view service) const;
  std::string trace_id() const;

  const Registry& registry_;
  const Clock& clock_;
  Entropy& entropy_;
  PipelineOptions options_;
  Router router_;
  // Of operations with a handler: all from the start, so that counting takes no lock.
  std::unordered_map<const OperationModel*, std::unique_ptr<Atomics>> counters_;
  mutable std::mutex other_mutex_;
  std::unordered_map<std::string, std::unique_ptr<Atomics>> other_counters_;  // "service:Operation" as asked for
};

// What the credential scope says, without verifying anything: a key id of 12 digits is the account.
Identity identity_of(ClaimedScope claimed, const PipelineOptions& options);

}  // namespace parvis::aws
