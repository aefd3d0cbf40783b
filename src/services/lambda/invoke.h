// lambda/invoke.h: calls of functions: what a worker gets, what a call answers, and the queue of asynchronous events.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "aws/api_call.h"
#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "functions/engine.h"
#include "services/lambda/code.h"
#include "services/lambda/function_store.h"

namespace parvis::lambda {

inline constexpr std::size_t kPayloadBytesMax = 6u << 20;          // synchronous, both ways
inline constexpr std::size_t kAsyncPayloadBytesMax = 1u << 20;
inline constexpr std::size_t kLogTailBytes = 4096;

// The part of functions::Engine that this service uses, so that tests can stand in for it (engine_runner.h is the real one).
class Runner {
 public:
  virtual ~Runner() = default;
  virtual void prepare(functions::FunctionSpec spec, bool load) = 0;
  virtual awaitable<functions::InvocationResult> invoke(std::shared_ptr<const functions::FunctionSpec> spec,
                                                        functions::Invocation invocation) = 0;
  virtual void retire(const std::string& key) = 0;
};

struct WorkerCredentials {
  std::string access_key_id, secret_access_key, session_token;
};

// What a function printed during one call, for CloudWatch Logs and the live log.
struct FunctionLog {
  aws::Scope scope;
  std::string function_name, log_group, log_stream, request_id, text;
};

// One call of a function that has ended, for the event stream and the meter. References live for the call alone.
struct InvocationRecord {
  const aws::Scope& scope;
  const functions::FunctionSpec& function;
  const std::string& arn;      // as invoked
  const std::string& request_id;
  const std::string& trace_header;
  const functions::InvocationResult& result;
  bool function_error = false;
  std::size_t bytes_in = 0;
};

struct InvokeOptions {
  std::string endpoint_url;  // AWS_ENDPOINT_URL of workers; empty: not set
  bool load_on_deploy = false;  // boot one environment as soon as code or configuration changes
  std::map<std::string, std::string> extra_environment;  // NODE_EXTRA_CA_CERTS and the like; the function's own win
  // Credentials of a worker's SDK calls. Not set: the account as key id, as unsigned mode takes it.
  std::function<WorkerCredentials(const aws::Scope&, const std::string& role_arn)> credentials;
  std::function<void(FunctionLog)> on_log;  // may be empty; called once per call that printed something
  std::function<void(const InvocationRecord&)> on_invoked = {};  // called once per call that reached the engine, throttled ones too
};

// One synchronous call's answer, as the operation shapes it.
struct CallResult {
  functions::InvocationResult result;
  bool function_error = false;
};

class Invoker {  // thread-safe; everything given outlives it
 public:
  Invoker(FunctionStore& functions, CodeStore& code, Runner& runner, const Clock& clock, Entropy& entropy, InvokeOptions options);

  // Runs the function and waits. Throws ResourceNotFoundException, TooManyRequestsException, ServiceException.
  // What the function did wrong is a result, not an exception. `payload` is JSON already.
  awaitable<CallResult> run(FunctionRef ref, functions::Invocation invocation);
  // As above for a record at hand.
  awaitable<CallResult> run_record(StoredFunction function, functions::Invocation invocation);

  // The function's code or configuration is new, or it is gone: workers of the old one take no further calls.
  awaitable<> deployed(StoredFunction function);
  void forget(const FunctionRef& ref);

  // The complete environment of a worker. Source: Developer Guide, "Defined runtime environment variables".
  std::map<std::string, std::string> environment(const FunctionRecord& record, const std::string& code_dir,
                                                 const std::string& log_stream) const;

 private:
  struct Ready {  // a function whose code is unpacked here
    storage::Version version = 0;
    std::string config_id, log_group, log_stream;
    std::shared_ptr<const functions::FunctionSpec> spec;
  };
  awaitable<std::shared_ptr<const Ready>> ready(StoredFunction function);
  std::shared_ptr<const Ready> cached(const std::string& arn, storage::Version version);
  awaitable<CallResult> run_ready(aws::Scope scope, std::shared_ptr<const Ready> ready, functions::Invocation invocation);

  FunctionStore& functions_;
  CodeStore& code_;
  Runner& runner_;
  const Clock& clock_;
  Entropy& entropy_;
  InvokeOptions options_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Ready>> ready_;  // by ARN
};

// Throws InvalidRequestContentException ("Could not parse request body into json: …"), RequestTooLargeException.
// An empty payload is {}.
void check_payload(std::string_view payload, bool async);
std::string log_tail_base64(std::string_view log);  // the last 4 KB

}  // namespace parvis::lambda
