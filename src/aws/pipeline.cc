#include "aws/pipeline.h"

#include <array>
#include <atomic>

#include <boost/json.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "aws/body_digest.h"
#include "aws/json_codec.h"
#include "aws/manifest.h"
#include "aws/protocol.h"
#include "aws/resource_name.h"
#include "aws/service_style.h"
#include "aws/sigv4.h"
#include "aws/validate.h"
#include "core/hash.h"

namespace parvis::aws {
namespace {

constexpr ErrorSpec kInternalFailure{"InternalFailure", 500, Fault::kServer};
constexpr ErrorSpec kNotImplemented{"NotImplemented", 501, Fault::kServer};
constexpr ErrorSpec kUnknownOperation{"UnknownOperationException", 400, Fault::kClient};
constexpr ErrorSpec kUnknownPath{"UnknownOperationException", 404, Fault::kClient};
constexpr ErrorSpec kInvalidAction{"InvalidAction", 400, Fault::kClient};
constexpr ErrorSpec kMalformedXml{"MalformedXML", 400, Fault::kClient};
constexpr ErrorSpec kSerialization{"SerializationException", 400, Fault::kClient};
constexpr ErrorSpec kMethodNotAllowed{"MethodNotAllowed", 405, Fault::kClient};
constexpr std::size_t kCountersMax = 5000;

[[noreturn]] void refuse_not_implemented(std::string_view service, std::string_view operation) {
  throw ApiError(kNotImplemented, fmt::format("Parvis does not implement {}:{}.", service, operation));
}

// Why a request has no handler, as an error that names what was asked for.
[[noreturn]] void refuse_route(const Route& route, const http::Request& request) {
  if (!route.service) {
    if (!route.service_name.empty()) {
      if (!route.operation.empty()) refuse_not_implemented(route.service_name, route.operation);
      throw ApiError(kNotImplemented, fmt::format("Parvis does not implement the service {} ({} {}).", route.service_name,
                                                  request.method, request.path().substr(0, 200)));
    }
    if (!route.operation.empty()) refuse_not_implemented("(no service named)", route.operation);
    throw ApiError(kUnknownPath, fmt::format("No AWS API answers {} {}.", request.method, request.path().substr(0, 200)));
  }
  if (route.known_operation) refuse_not_implemented(route.service_name, route.operation);
  switch (route.protocol) {
    case Protocol::kJson: throw ApiError(kUnknownOperation, "");
    case Protocol::kQuery:
      throw ApiError(kInvalidAction, fmt::format("Could not find operation {} for version {}", route.operation, route.service->api_version));
    case Protocol::kRestXml: throw ApiError(kMethodNotAllowed, "The specified method is not allowed against this resource.");
    case Protocol::kRestJson: break;
  }
  throw ApiError(kUnknownPath, fmt::format("No operation of {} answers {} {}.", route.service_name, request.method,
                                           request.path().substr(0, 200)));
}

bool is_json(std::string_view content_type) {
  const std::string_view media_type = content_type.substr(0, content_type.find(';'));
  return media_type == "application/x-amz-json-1.0" || media_type == "application/json";
}

// What services that take JSON posts alone answer to anything else, whatever else is wrong with it; nullopt: it is one.
// Source: dynalite's test/connection.js, which compares with DynamoDB.
std::optional<http::Response> refuse_shape(const Route& route, const http::Request& request, std::string_view request_id) {
  if (!route.service || !style_of(route.service->service, route.service->protocol).json_posts_only) return std::nullopt;
  const std::string_view content_type = request.headers.get("Content-Type");
  const bool has_nothing = request.body.empty() && content_type.empty();
  if (request.method == "POST" && (has_nothing || is_json(content_type))) {
    try {
      if (!route.entry && !route.known_operation && !request.body.empty()) (void)parse_json(request.body);
    } catch (const DecodeError& error) {
      throw ApiError(kSerialization, error.what());
    }
    return std::nullopt;
  }
  http::Response response{.status = 404, .headers = {}, .body = "<UnknownOperationException/>\n", .stream = {}};
  response.headers.add("x-amzn-RequestId", request_id);
  response.headers.add("X-Amz-Crc32", std::to_string(crc32(response.body)));
  return response;
}

// The error that the caller sees for whatever escaped; rethrows cancellation, which is nobody's error.
ApiError to_api_error(std::exception_ptr thrown, const CallRecord& record) {
  std::string cause;
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const ApiError& error) {
    return error;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    cause = error.what();
  } catch (const std::exception& error) {
    cause = error.what();
  } catch (...) {
    cause = "an exception of an unknown type";
  }
  spdlog::error("{}:{} request {} failed: {}", record.service, record.operation, record.call.request_id, cause);
  return ApiError(kInternalFailure, fmt::format("The request processing has failed because of an unknown error (request {}).",
                                                record.call.request_id));
}

// As S3 answers in Regions that never knew Signature Version 2. Taken as unsigned, such a URL would name the default account's bucket.
void refuse_signature_v2(const http::Request& request) {
  static constexpr ErrorSpec kInvalidRequest{"InvalidRequest", 400, Fault::kClient};
  const bool in_header = request.headers.get("Authorization").starts_with("AWS ");
  const bool in_query = request.query().find("AWSAccessKeyId=") != std::string_view::npos;
  if (in_header || in_query) throw ApiError(kInvalidRequest, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
}

// A letter for each byte; none for those past the largest multiple of 36, so that all letters are equally likely.
constexpr auto kIdLetters = [] {
  std::array<char, 256> out{};
  for (unsigned byte = 0; byte < 252; ++byte) out[byte] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[byte % 36];
  return out;
}();

std::string long_id(Entropy& entropy) {
  std::string out(52, '\0');
  std::array<unsigned char, 60> bytes;
  for (std::size_t size = 0; size < out.size();) {
    entropy.fill(bytes);
    for (std::size_t at = 0; at < bytes.size() && size < out.size(); ++at) {
      out[size] = kIdLetters[bytes[at]];
      size += out[size] != 0;
    }
  }
  return out;
}

std::string root_arn(std::string_view account) { return std::string("arn:aws:iam::").append(account).append(":root"); }

void note_error(const ApiError& error, CallRecord& record) {
  record.status = error.http_status();
  record.error_code = error.code();
  record.error_message = error.message();
}

void check_constraints(const OperationModel& op, const void* input) {
  if (std::optional<std::string> broken = validate(*op.input, input)) {
    // S3 knows a document that is not as modelled by one name: members below the top are a document's.
    const std::size_t path = broken->rfind(" at '");
    const bool in_document = path != broken->npos && broken->substr(path + 5, broken->find('\'', path + 5) - path - 5).find('.') != broken->npos;
    if (op.service_model->protocol == Protocol::kRestXml && in_document)
      throw ApiError(kMalformedXml, "The XML you provided was not well-formed or did not validate against our published schema");
    throw ApiError(style_of(op.service, op.service_model->protocol).validation, std::move(*broken));
  }
}

}  // namespace

// Threads count in lines of their own, so that no cache line travels between them.
struct Pipeline::Atomics {
  struct alignas(64) Shard {
    std::atomic<std::uint64_t> calls{0}, client_errors{0}, server_errors{0}, bytes_in{0}, bytes_out{0}, duration_us{0};
  };
  std::array<Shard, 4> shards;

  void add(const CallRecord& record) {
    static std::atomic<std::size_t> threads{0};
    thread_local const std::size_t mine = threads.fetch_add(1);
    Shard& at = shards[mine % shards.size()];
    constexpr auto kRelaxed = std::memory_order_relaxed;
    at.calls.fetch_add(1, kRelaxed);
    if (record.status >= 500) at.server_errors.fetch_add(1, kRelaxed);
    else if (record.status >= 400) at.client_errors.fetch_add(1, kRelaxed);
    at.bytes_in.fetch_add(record.bytes_in, kRelaxed);
    at.bytes_out.fetch_add(record.bytes_out, kRelaxed);
    at.duration_us.fetch_add(record.duration_us, kRelaxed);
  }
  CallCounters sum() const {
    CallCounters out;
    for (const Shard& s : shards) {
      out.calls += s.calls;
      out.client_errors += s.client_errors;
      out.server_errors += s.server_errors;
      out.bytes_in += s.bytes_in;
      out.bytes_out += s.bytes_out;
      out.duration_us += s.duration_us;
    }
    return out;
  }
};

Identity identity_of(ClaimedScope claimed, const PipelineOptions& options) {
  Identity identity;
  const std::string& key = claimed.access_key_id;
  const bool is_account = key.size() == 12 && key.find_first_not_of("0123456789") == key.npos;
  identity.scope.account = is_account ? key : options.default_account;
  identity.scope.region = claimed.region.empty() ? options.default_region : std::move(claimed.region);
  identity.principal = {root_arn(identity.scope.account), std::move(claimed.access_key_id)};
  return identity;
}

Pipeline::Pipeline(const Registry& registry, const Clock& clock, Entropy& entropy, PipelineOptions options)
    : registry_(registry), clock_(clock), entropy_(entropy), options_(std::move(options)), router_(registry) {
  for (const auto& [key, entry] : registry) counters_.emplace(entry.model, std::make_unique<Atomics>());
}

Pipeline::~Pipeline() = default;

std::string Pipeline::request_id(std::string_view service) const {
  if (service == "dynamodb") return long_id(entropy_);
  if (service == "s3") return entropy_.token(16, "0123456789ABCDEF");
  return entropy_.uuid();
}

std::string Pipeline::trace_id() const {
  const auto seconds = static_cast<std::uint32_t>(clock_.wall().time_since_epoch().count() / 1000);
  std::array<unsigned char, 16> bytes;
  for (int i = 0; i < 4; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<unsigned char>(seconds >> (24 - 8 * i));
  entropy_.fill(std::span(bytes).subspan(4));
  std::string out = "1-" + hex_encode(bytes);
  return out.insert(10, 1, '-');
}

CallContext Pipeline::make_context(Scope scope, std::string origin) const {
  CallContext call;
  call.principal.arn = root_arn(scope.account);
  call.scope = std::move(scope);
  call.request_id = entropy_.uuid();
  call.trace.trace_id = trace_id();
  call.origin = std::move(origin);
  return call;
}

CallContext Pipeline::context_of(const http::Request& request, const Route& route) const {
  Identity claimed = identity_of(route.claimed, options_);
  CallContext call;
  call.scope = std::move(claimed.scope);
  call.principal = std::move(claimed.principal);
  call.request_id = request_id(route.service_name);
  if (auto trace = TraceContext::parse(request.headers.get("X-Amzn-Trace-Id"))) call.trace = std::move(*trace);
  else call.trace.trace_id = trace_id();
  call.origin = "http";
  return call;
}

bool Pipeline::wants_stream(const http::Request& head) const {
  if (head.headers.find("X-Amz-Target")) return false;  // the json protocol has whole bodies only
  const Route route = router_.find(head);
  if (!route.entry) return false;
  return std::ranges::any_of(route.entry->model->input->members, [](const Member& m) { return m.shape->kind == Kind::kStream; });
}

std::string_view Pipeline::service_of(const http::Request& head) const {
  const ServiceModel* service = router_.find(head).service;
  return service ? service->service : std::string_view{};
}

awaitable<http::Response> Pipeline::handle(http::Request request) {
  const auto start = std::chrono::steady_clock::now();
  const Route route = router_.find(request);
  CallRecord record;
  record.service = route.service_name;
  record.operation = route.operation;
  record.call = context_of(request, route);
  record.bytes_in = request.body.size();

  std::exception_ptr thrown;
  http::Response response;
  try {
    response = co_await answer(request, route, record);
    record.status = response.status;
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) {
    const ApiError error = to_api_error(std::move(thrown), record);
    note_error(error, record);
    response = encode_error(route.service, route.protocol, error, record.call.request_id);
  }
  record.bytes_out = response.body.size();
  finish(record, start, route.entry ? route.entry->model : nullptr);
  co_return response;
}

awaitable<http::Response> Pipeline::answer(http::Request& request, const Route& route, CallRecord& record) {
  if (route.protocol == Protocol::kRestXml) refuse_signature_v2(request);
  if (auto refusal = refuse_shape(route, request, record.call.request_id)) co_return std::move(*refusal);
  if (route.service && options_.authenticate) {
    Identity identity = co_await options_.authenticate(request, route.service->signing_name);
    record.call.principal = std::move(identity.principal);
    record.call.scope = std::move(identity.scope);
  } else if (route.protocol == Protocol::kRestXml) {
    decode_unverified_payload(request, ErrorFamily::kS3);  // the chunks of S3's uploads; otherwise the signature's check does it
  }
  if (!route.entry) refuse_route(route, request);
  const OperationModel& op = *route.entry->model;
  if (route.protocol == Protocol::kRestXml) check_body_digest(op, request);
  DecodedInput decoded = decode_request(op, request, route);
  record.ignored = std::move(decoded.ignored);
  std::shared_ptr<void> output = co_await run(*route.entry, record, std::move(decoded.input));
  co_return encode_response(op, std::move(output), record.call.request_id);
}

awaitable<std::shared_ptr<void>> Pipeline::run(const Registry::Entry& entry, CallRecord& record, std::shared_ptr<void> input) {
  if (options_.authorize) co_await options_.authorize(record.call, *entry.model, input.get());
  check_constraints(*entry.model, input.get());
  apply_manifest(*entry.model, input.get(), record.warnings);
  record.resources = resource_names(*entry.model, input.get());
  co_return co_await entry.handler(record.call, std::move(input));
}

awaitable<std::shared_ptr<void>> Pipeline::invoke(CallContext call, const OperationModel& op, std::shared_ptr<void> input) {
  const auto start = std::chrono::steady_clock::now();
  CallRecord record;
  record.service = op.service;
  record.operation = op.name;
  record.call = std::move(call);
  if (record.call.request_id.empty()) record.call.request_id = request_id(op.service);
  std::exception_ptr thrown;
  std::shared_ptr<void> output;
  const Registry::Entry* entry = registry_.find(op.service, op.name);
  try {
    if (!entry) refuse_not_implemented(op.service, op.name);
    output = co_await run(*entry, record, std::move(input));
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) {
    ApiError error = to_api_error(std::move(thrown), record);
    note_error(error, record);
    finish(record, start, entry ? entry->model : nullptr);
    throw error;
  }
  finish(record, start, entry->model);
  co_return output;
}

awaitable<boost::json::value> Pipeline::call_json(CallContext call, std::string_view service, std::string_view operation,
                                                  boost::json::value input) {
  // The names are copied: the caller's text may end before this coroutine does.
  const std::string service_name(service), operation_name(operation);
  const Registry::Entry* entry = registry_.find(service_name, operation_name);
  if (!entry) refuse_not_implemented(service_name, operation_name);
  const OperationModel& op = *entry->model;
  std::shared_ptr<void> decoded = op.make_input();
  std::vector<std::string> ignored;
  try {
    if (!input.is_null()) decode_json(*op.input, input, decoded.get(), ignored, JsonNames::kModelled);
  } catch (const DecodeError& error) {
    throw ApiError(kSerialization, error.what());
  }
  // From inside an unknown member is a mistake of the caller's program, never a newer client: it is refused.
  if (!ignored.empty()) {
    throw ApiError(style_of(op.service, op.service_model->protocol).validation,
                   fmt::format("{}:{} has no input member '{}'", op.service, op.name, ignored.front()));
  }
  const std::shared_ptr<void> output = co_await invoke(std::move(call), op, std::move(decoded));
  std::string text;
  encode_json(*op.output, output.get(), text, JsonNames::kModelled);
  co_return parse_json(text);
}

void Pipeline::finish(CallRecord& record, std::chrono::steady_clock::time_point start, const OperationModel* op) noexcept {
  using std::chrono::duration_cast, std::chrono::microseconds;
  record.duration_us = static_cast<std::uint64_t>(duration_cast<microseconds>(std::chrono::steady_clock::now() - start).count());
  try {
    counters_of(record, op).add(record);
    if (options_.observe) options_.observe(record);
  } catch (const std::exception& error) {
    spdlog::error("the observer of API calls failed: {}", error.what());
  }
}

Pipeline::Atomics& Pipeline::counters_of(const CallRecord& record, const OperationModel* op) {
  if (op) return *counters_.at(op);
  std::string key = record.service + ":" + record.operation;
  const std::lock_guard lock(other_mutex_);
  if (other_counters_.size() >= kCountersMax && !other_counters_.contains(key)) key = "other:other";  // names come from the client
  auto& slot = other_counters_[key];
  if (!slot) slot = std::make_unique<Atomics>();
  return *slot;
}

std::map<std::string, CallCounters> Pipeline::counters() const {
  std::map<std::string, CallCounters> result;
  for (const auto& [op, counts] : counters_) {
    if (const CallCounters sum = counts->sum(); sum.calls > 0) result[fmt::format("{}:{}", op->service, op->name)] = sum;
  }
  const std::lock_guard lock(other_mutex_);
  for (const auto& [key, counts] : other_counters_) result[key] = counts->sum();
  return result;
}

}  // namespace parvis::aws
