#include "services/lambda/invoke.h"

#include <boost/json/basic_parser_impl.hpp>
#include <fmt/format.h>

#include "core/hash.h"
#include "core/time_format.h"
#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"

namespace parvis::lambda {
namespace {

// Accepts every value: the parser is used for its grammar alone.
struct NullHandler {
  using sv = boost::json::string_view;
  using ec = boost::json::error_code;
  static constexpr std::size_t max_object_size = std::size_t(-1), max_array_size = std::size_t(-1), max_key_size = std::size_t(-1),
                               max_string_size = std::size_t(-1);
  bool on_document_begin(ec&) { return true; }
  bool on_document_end(ec&) { return true; }
  bool on_object_begin(ec&) { return true; }
  bool on_object_end(std::size_t, ec&) { return true; }
  bool on_array_begin(ec&) { return true; }
  bool on_array_end(std::size_t, ec&) { return true; }
  bool on_key_part(sv, std::size_t, ec&) { return true; }
  bool on_key(sv, std::size_t, ec&) { return true; }
  bool on_string_part(sv, std::size_t, ec&) { return true; }
  bool on_string(sv, std::size_t, ec&) { return true; }
  bool on_number_part(sv, ec&) { return true; }
  bool on_int64(std::int64_t, sv, ec&) { return true; }
  bool on_uint64(std::uint64_t, sv, ec&) { return true; }
  bool on_double(double, sv, ec&) { return true; }
  bool on_bool(bool, ec&) { return true; }
  bool on_null(ec&) { return true; }
  bool on_comment_part(sv, ec&) { return true; }
  bool on_comment(sv, ec&) { return true; }
};

std::string describe_bad_json(std::string_view payload, std::size_t at) {
  std::size_t line = 1, column = 1;
  for (std::size_t i = 0; i < std::min(at, payload.size()); ++i) {
    if (payload[i] == '\n') { ++line; column = 1; } else { ++column; }
  }
  std::string what = "Unexpected end-of-input";
  if (at < payload.size()) {
    std::size_t begin = at, end = at;
    const auto is_word = [&](std::size_t i) { return std::isalnum(static_cast<unsigned char>(payload[i])) || payload[i] == '_'; };
    while (begin > 0 && is_word(begin - 1)) --begin;
    while (end < payload.size() && end - begin < 256 && is_word(end)) ++end;
    if (end > begin && std::isalpha(static_cast<unsigned char>(payload[begin]))) {
      what = fmt::format("Unrecognized token '{}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                         payload.substr(begin, end - begin));
    } else if (const unsigned char c = static_cast<unsigned char>(payload[at]); c < 32 || c > 126) {
      what = fmt::format("Unexpected character ((CTRL-CHAR, code {})): expected a valid value (JSON String, Number, Array, Object or "
                         "token 'null', 'true' or 'false')", c);
    } else {
      what = fmt::format("Unexpected character ('{}' (code {})): expected a valid value (JSON String, Number, Array, Object or token "
                         "'null', 'true' or 'false')", static_cast<char>(c), c);
    }
  }
  return fmt::format("Could not parse request body into json: Could not parse payload into json: {}\n at [Source: (byte[]); line: {}, "
                     "column: {}]", what, line, column);
}

std::string log_stream_name(Millis now, Entropy& entropy) {
  std::string date = format_iso8601(now).substr(0, 10);
  std::ranges::replace(date, '-', '/');
  return fmt::format("{}/[$LATEST]{}", date, entropy.token(32, "0123456789abcdef"));
}

}  // namespace

void check_payload(std::string_view payload, bool async) {
  const std::size_t limit = async ? kAsyncPayloadBytesMax : kPayloadBytesMax;
  if (payload.size() > limit) {
    throw error(kRequestTooLarge, fmt::format("{} byte payload is too large for the {} invocation type (limit {} bytes)",
        payload.size(), async ? "Event" : "RequestResponse", limit));
  }
  if (payload.empty()) return;
  boost::json::parse_options options;
  options.max_depth = 1000;  // Jackson's own limit
  boost::json::basic_parser<NullHandler> parser(options);
  boost::json::error_code failed;
  const std::size_t used = parser.write_some(false, payload.data(), payload.size(), failed);
  std::size_t at = used;
  if (!failed) {
    at = payload.find_first_not_of(" \t\r\n", used);
    if (parser.done() && at == std::string_view::npos) return;
    if (at == std::string_view::npos) at = payload.size();
  }
  throw error(kInvalidRequestContent, describe_bad_json(payload, at));
}

std::string log_tail_base64(std::string_view log) {
  return base64_encode(log.substr(log.size() > kLogTailBytes ? log.size() - kLogTailBytes : 0));
}

Invoker::Invoker(FunctionStore& functions, CodeStore& code, Runner& runner, const Clock& clock, Entropy& entropy, InvokeOptions options)
    : functions_(functions), code_(code), runner_(runner), clock_(clock), entropy_(entropy), options_(std::move(options)) {}

std::map<std::string, std::string> Invoker::environment(const FunctionRecord& record, const std::string& code_dir,
                                                        const std::string& log_stream) const {
  std::map<std::string, std::string> env{{"LANG", "en_US.UTF-8"}, {"TZ", ":UTC"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                         {"TMPDIR", "/tmp"}};
  for (const auto& [key, value] : options_.extra_environment) env[key] = value;
  for (const auto& [key, value] : record.environment) env[key] = value;
  env["AWS_LAMBDA_FUNCTION_NAME"] = record.name;
  env["AWS_LAMBDA_FUNCTION_VERSION"] = kLatest;
  env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = std::to_string(record.memory_mb);
  env["AWS_LAMBDA_LOG_GROUP_NAME"] = record.log_group_name();
  env["AWS_LAMBDA_LOG_STREAM_NAME"] = log_stream;
  env["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand";
  env["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + record.runtime;
  env["AWS_REGION"] = env["AWS_DEFAULT_REGION"] = record.scope.region;
  env["LAMBDA_TASK_ROOT"] = code_dir;
  env["_HANDLER"] = record.handler;
  const WorkerCredentials credentials = options_.credentials
      ? options_.credentials(record.scope, record.role)
      : WorkerCredentials{record.scope.account, "parvis", {}};
  env["AWS_ACCESS_KEY_ID"] = credentials.access_key_id;
  env["AWS_SECRET_ACCESS_KEY"] = credentials.secret_access_key;
  if (!credentials.session_token.empty()) env["AWS_SESSION_TOKEN"] = credentials.session_token;
  // A function that sets its own endpoint means it; it is not a reserved key.
  if (!options_.endpoint_url.empty()) env.emplace("AWS_ENDPOINT_URL", options_.endpoint_url);
  return env;
}

std::shared_ptr<const Invoker::Ready> Invoker::cached(const std::string& arn, storage::Version version) {
  const std::lock_guard lock(mutex_);
  const auto it = ready_.find(arn);
  return it != ready_.end() && it->second->version == version ? it->second : nullptr;
}

awaitable<std::shared_ptr<const Invoker::Ready>> Invoker::ready(StoredFunction function) {
  const FunctionRecord& record = function.record;
  const std::string arn = record.arn();
  if (auto found = cached(arn, function.version)) co_return found;
  std::shared_ptr<const Ready> before;
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = ready_.find(arn); it != ready_.end()) before = it->second;
  }
  auto made = std::make_shared<Ready>();
  made->version = function.version;
  made->config_id = record.config_id;
  made->log_group = record.log_group_name();
  if (before && before->config_id == record.config_id) {  // only tags or the policy changed
    made->log_stream = before->log_stream;
    made->spec = before->spec;
  } else {
    const std::string dir = co_await code_.folder(record.scope, record.code);
    auto spec = std::make_shared<functions::FunctionSpec>();
    made->log_stream = log_stream_name(clock_.wall(), entropy_);
    spec->key = arn + ":" + record.config_id;
    spec->name = record.name;
    spec->runtime = record.runtime;
    spec->handler = record.handler;
    spec->code_dir = dir;
    spec->environment = environment(record, dir, made->log_stream);
    spec->memory_mb = static_cast<unsigned>(record.memory_mb);
    spec->timeout = std::chrono::seconds(record.timeout_seconds);
    spec->concurrency_max = record.reserved_concurrency ? static_cast<unsigned>(*record.reserved_concurrency) : 1000u;
    made->spec = std::move(spec);
  }
  std::string retired;
  {
    const std::lock_guard lock(mutex_);
    auto& slot = ready_[arn];
    if (slot && slot->version > made->version) co_return made;  // a newer one came meanwhile; this call keeps what it read
    if (slot && slot->version == made->version) co_return slot;
    if (slot && slot->spec->key != made->spec->key) retired = slot->spec->key;
    slot = made;
  }
  if (!retired.empty()) runner_.retire(retired);
  co_return made;
}

awaitable<> Invoker::deployed(StoredFunction function) {
  auto made = co_await ready(std::move(function));
  if (options_.load_on_deploy) runner_.prepare(*made->spec, true);
}

void Invoker::forget(const FunctionRef& ref) {
  std::shared_ptr<const Ready> gone;
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = ready_.find(ref.arn()); it != ready_.end()) {
      gone = it->second;
      ready_.erase(it);
    }
  }
  if (gone) runner_.retire(gone->spec->key);
}

awaitable<CallResult> Invoker::run(FunctionRef ref, functions::Invocation invocation) {
  // The hot path reads only the record's version; the record is decoded when it is a new one.
  const std::string key = function_key(ref.scope.account, ref.scope.region, ref.name);
  auto value = co_await functions_.store().snapshot()->get(key);
  if (!value) throw not_found(ref);
  std::shared_ptr<const Ready> known = cached(ref.arn(), value->version);
  if (!known) known = co_await ready(co_await functions_.get(ref));
  co_return co_await run_ready(std::move(ref.scope), std::move(known), std::move(invocation));
}

awaitable<CallResult> Invoker::run_record(StoredFunction function, functions::Invocation invocation) {
  aws::Scope scope = function.record.scope;
  auto known = co_await ready(std::move(function));
  co_return co_await run_ready(std::move(scope), std::move(known), std::move(invocation));
}

awaitable<CallResult> Invoker::run_ready(aws::Scope scope, std::shared_ptr<const Ready> ready, functions::Invocation invocation) {
  if (ready->spec->concurrency_max == 0) {
    throw error(kTooManyRequests, "Rate Exceeded.", {{"Reason", "ReservedFunctionConcurrentInvocationLimitExceeded"}});
  }
  if (invocation.payload.empty()) invocation.payload = "{}";
  const std::string request_id = invocation.request_id, trace_header = invocation.trace_header, arn = invocation.function_arn;
  const std::size_t bytes_in = invocation.payload.size();
  CallResult call{co_await runner_.invoke(ready->spec, std::move(invocation)), false};
  const auto tell = [&] {
    if (options_.on_invoked) options_.on_invoked({scope, *ready->spec, arn, request_id, trace_header, call.result, call.function_error, bytes_in});
  };
  if (call.result.outcome == functions::Outcome::kThrottled) {
    tell();
    const bool own = ready->spec->concurrency_max < 1000;
    throw error(kTooManyRequests, "Rate Exceeded.", {{"Reason", own ? "ReservedFunctionConcurrentInvocationLimitExceeded"
                                                                   : "ConcurrentInvocationLimitExceeded"}});
  }
  call.function_error = call.result.outcome != functions::Outcome::kOk;
  if (!call.function_error && call.result.payload.size() > kPayloadBytesMax) {
    call.function_error = true;
    call.result.outcome = functions::Outcome::kFunctionError;
    call.result.payload = R"({"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).",)"
                          R"("errorType":"Function.ResponseSizeTooLarge"})";
  }
  tell();
  if (options_.on_log && !call.result.log.empty()) {
    options_.on_log({std::move(scope), ready->spec->name, ready->log_group, ready->log_stream, request_id, call.result.log});
  }
  co_return call;
}

}  // namespace parvis::lambda
