// lambda/invoke.h: calls of functions: what a worker gets, what a call answers, and the queue of asynchronous events.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "aws/api_call.h"
#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "functions/engine.h"
#include "services/lambda/alias.h"
#include "services/lambda/code.h"
#include "services/lambda/function_store.h"

namespace parvis::lambda {

inline constexpr std::size_t kPayloadBytesMax = 6u << 20;          // synchronous, both ways
inline constexpr std::size_t kAsyncPayloadBytesMax = 1u << 20;
inline constexpr std::size_t kLogTailBytes = 4096;
inline constexpr int kAccountConcurrency = 1000;  // of one account in one Region
inline constexpr int kUnreservedMin = 100;        // of it, never reserved by functions

// The part of functions::Engine that this service uses, so that tests can stand in for it (engine_runner.h is the real one).
class Runner {
 public:
  virtual ~Runner() = default;
  virtual void prepare(functions::FunctionSpec spec, bool load) = 0;
  virtual awaitable<functions::InvocationResult> invoke(std::shared_ptr<const functions::FunctionSpec> spec,
                                                        functions::Invocation invocation) = 0;
  virtual awaitable<functions::InvocationResult> invoke_streaming(std::shared_ptr<const functions::FunctionSpec> spec,
                                                                  functions::Invocation invocation, functions::ResponseSink& sink) = 0;
  virtual void retire(const std::string& key) = 0;
  virtual void keep(std::shared_ptr<const functions::FunctionSpec> spec, unsigned count) = 0;
  virtual functions::Engine::Kept kept(const std::string& key) = 0;
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
  std::string node_modules_dir;  // with the AWS SDK, behind a function's layers; may be empty
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
  std::string version;  // what ran: "$LATEST" or a number
};

class Invoker {  // thread-safe; everything given outlives it
 public:
  Invoker(FunctionStore& functions, CodeStore& code, Runner& runner, const Clock& clock, Entropy& entropy, InvokeOptions options);

  // Runs what the reference names and waits. Throws ResourceNotFoundException, TooManyRequestsException, ServiceException.
  // What the function did wrong is a result, not an exception. `payload` is JSON already.
  awaitable<CallResult> run(FunctionRef ref, functions::Invocation invocation);

  // The same in two steps, for answers that are sent while the function makes them: what the caller may not do is known before
  // the answer begins.
  struct Admitted;
  awaitable<std::shared_ptr<Admitted>> admit(FunctionRef ref);
  awaitable<CallResult> run_streaming(std::shared_ptr<Admitted> admitted, functions::Invocation invocation, functions::ResponseSink& sink);
  static const std::string& version_of(const Admitted& admitted);

  // The function's code or configuration is new, or a version is there: an environment of it is loaded when options say so.
  awaitable<> deployed(StoredFunction function);
  // Workers of the runtime boot, for the next first call of a function.
  void boot_runtime(const std::string& runtime) { runner_.prepare({.key = {}, .name = {}, .runtime = runtime, .handler = {}, .code_dir = {}, .layers_dir = {}, .environment = {}}, false); }
  awaitable<> published(FunctionRecord version, std::map<std::string, std::string> tags);
  // Provisioned concurrency of published versions, named by ARN and number: environments that are initialised before any call.
  awaitable<> keep(FunctionRecord version, unsigned count);
  void release(const std::string& version_arn);
  functions::Engine::Kept kept(const std::string& version_arn);
  std::vector<std::string> kept_versions(const std::string& arn);  // numbers
  // What functions of the account in this Region reserve or have provisioned is not for the others.
  void set_aside(const aws::Scope& scope, int concurrency);
  // The function (or the version that the qualifier names) is gone: its workers take no further calls.
  void forget(const FunctionRef& ref);

  // The complete environment of a worker. Source: Developer Guide, "Defined runtime environment variables".
  // `layers_dir`: what a worker has as /opt; may be empty.
  std::map<std::string, std::string> environment(const FunctionRecord& record, const std::string& code_dir, const std::string& layers_dir,
                                                 const std::string& log_stream) const;

 private:
  // Calls that run. `set_aside`: of the account's concurrency, for functions of their own; of a function, what it has provisioned.
  struct Calls { std::atomic<int> running{0}, set_aside{0}; };
  using Counter = std::shared_ptr<Calls>;
  struct Head {  // a function's record as last read
    storage::Version version = 0;
    FunctionRecord record;
    std::string arn = record.arn();
    Counter own, shared;  // the function's, and the account's in this Region
    mutable std::atomic<storage::Stamp> newest_at{0};  // the last snapshot that was seen to hold this version
  };
  struct Ready {  // $LATEST or a published version, its code unpacked here
    storage::Version version = 0;  // of the record; 0 for published ones, which never change
    std::string function_id, config_id, number, log_group, log_stream;
    std::shared_ptr<const functions::FunctionSpec> spec;
  };
  struct Permit {  // of one call, as long as it runs
    Permit() = default;
    Permit(Permit&&) = default;
    ~Permit() {
      for (const Counter& counter : counted) {
        if (counter) --counter->running;
      }
    }
    std::array<Counter, 2> counted;
  };
  awaitable<std::shared_ptr<const Head>> head(FunctionRef ref);
  awaitable<std::shared_ptr<const Ready>> named(std::shared_ptr<const Head> head, FunctionRef ref);
  awaitable<std::shared_ptr<const Ready>> latest(std::shared_ptr<const Head> head);
  awaitable<std::shared_ptr<const Ready>> ready_version(FunctionRecord version);
  awaitable<std::shared_ptr<const functions::FunctionSpec>> make_spec(FunctionRecord record, std::string log_stream);
  void add_layers(const FunctionRecord& record, const std::string& code_dir, const std::string& opt, std::map<std::string, std::string>& env) const;
  std::shared_ptr<const Ready> find_ready(const std::string& arn);
  static Permit permit(const Head& head);
  Counter counter(const std::string& name);
  void count_provisioned(const std::string& version_arn);
  std::shared_ptr<const Head> make_head(storage::Version version, FunctionRecord record);
  struct Note;
  CallResult finish(const Admitted& admitted, const Note& note, functions::InvocationResult result);

  FunctionStore& functions_;
  CodeStore& code_;
  Runner& runner_;
  const Clock& clock_;
  Entropy& entropy_;
  InvokeOptions options_;
  std::mutex mutex_;  // guards the maps
  std::unordered_map<std::string, std::shared_ptr<const Head>> heads_;  // by the record's key
  std::map<std::string, std::shared_ptr<const Ready>> ready_;   // by ARN; of a published version with its number
  std::map<std::string, unsigned> kept_;                        // by ARN of a published version
  std::map<std::string, Counter> running_;                      // calls, by ARN and by "account/region"
};

// Throws InvalidRequestContentException ("Could not parse request body into json: …"), RequestTooLargeException.
// An empty payload is {}.
void check_payload(std::string_view payload, bool async);
std::string log_tail_base64(std::string_view log);  // the last 4 KB

}  // namespace parvis::lambda
