// aws/api_call.h: one AWS API call by a principal, in an account and Region: what every handler sees of it.
#pragma once

#include <any>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "core/async.h"

namespace parvis::aws {

struct Scope {
  std::string account;  // 12 digits
  std::string region;   // "us-east-1"
};

struct Principal {
  std::string arn;
  std::string access_key_id;
};

struct TraceContext {
  std::string trace_id;   // "1-5759e988-bd862e3fe1be46a994272793"
  std::string parent_id;  // 16 hex digits, may be empty
  bool sampled = true;
  std::string lineage;    // "Lineage" as Lambda counts a chain of functions in it, may be empty
  std::string header() const;  // "Root=…;Parent=…;Sampled=1;Lineage=…"
  // Takes over a well-formed X-Amzn-Trace-Id; nullopt otherwise.
  static std::optional<TraceContext> parse(std::string_view header);
};

// Copied into each handler; lives as long as the call.
struct CallContext {
  Scope scope;
  Principal principal;
  std::string request_id;
  TraceContext trace;
  std::string origin;  // what made the call: "http", "template", "function", …
};

enum class Fault { kClient, kServer };
struct ErrorSpec {  // one per error shape of the service's model
  std::string_view code;
  unsigned http_status = 400;
  Fault fault = Fault::kClient;
};

// Every error that a caller of the API can cause. Thrown where it is found, shaped for the protocol by the pipeline.
class ApiError : public std::exception {
 public:
  ApiError(const ErrorSpec& spec, std::string message, boost::json::object members = {})
      : code_(spec.code), http_status_(spec.http_status), fault_(spec.fault), message_(std::move(message)),
        members_(std::move(members)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& code() const { return code_; }
  unsigned http_status() const { return http_status_; }
  Fault fault() const { return fault_; }
  const std::string& message() const { return message_; }
  // Further members of the error shape, by their wire names (CancellationReasons, Item, …).
  const boost::json::object& members() const { return members_; }

 private:
  std::string code_;
  unsigned http_status_;
  Fault fault_;
  std::string message_;
  boost::json::object members_;
};

// A value that a shape's own codec refuses. Some operations of a service still say it in older words (aws/service_style.h).
class ValueError : public ApiError {
 public:
  ValueError(const ErrorSpec& spec, std::string message, std::string older) : ApiError(spec, std::move(message)), older_(std::move(older)) {}
  const std::string& older() const { return older_; }

 private:
  std::string older_;
};

struct OperationModel;  // aws/model.h

// Which handler serves which operation. Filled once by platform/, read by every thread afterwards.
//
// An Op is a generated tag type (models/<service>/<group>.h):
//   struct GetItem { using Input = GetItemInput; using Output = GetItemOutput; static const OperationModel& model(); };
class Registry {
 public:
  template <class Op>
  void bind(std::function<awaitable<typename Op::Output>(CallContext, typename Op::Input)> handler);

  // Input and output are held by shared_ptr<void> to the Op's own types.
  using Erased = std::function<awaitable<std::shared_ptr<void>>(CallContext, std::shared_ptr<void>)>;
  struct Entry {
    const OperationModel* model = nullptr;
    Erased handler;
  };
  void bind_erased(const OperationModel& model, Erased handler);
  const Entry* find(std::string_view service, std::string_view operation) const;
  auto begin() const { return entries_.begin(); }  // pairs of (service, operation) and Entry
  auto end() const { return entries_.end(); }

 private:
  std::map<std::pair<std::string, std::string>, Entry, std::less<>> entries_;
};

template <class Op>
void Registry::bind(std::function<awaitable<typename Op::Output>(CallContext, typename Op::Input)> handler) {
  bind_erased(Op::model(), [handler = std::move(handler)](CallContext call, std::shared_ptr<void> in)
                  -> awaitable<std::shared_ptr<void>> {
    auto input = std::static_pointer_cast<typename Op::Input>(in);
    co_return std::make_shared<typename Op::Output>(co_await handler(std::move(call), std::move(*input)));
  });
}

// Makes API calls inside the process: same authorization, validation, metering and errors as over HTTP, no HTTP.
class ApiClient {
 public:
  virtual ~ApiClient() = default;
  template <class Op>
  awaitable<typename Op::Output> call(CallContext call, typename Op::Input input) {
    auto out = co_await invoke(std::move(call), Op::model(), std::make_shared<typename Op::Input>(std::move(input)));
    co_return std::move(*std::static_pointer_cast<typename Op::Output>(out));
  }
  // By names and JSON as the AWS SDKs spell members (PascalCase or as modelled); blobs are base64 text.
  // `service` is the endpoint prefix of the model ("dynamodb"). Throws ApiError.
  virtual awaitable<boost::json::value> call_json(CallContext call, std::string_view service, std::string_view operation,
                                                  boost::json::value input) = 0;
  virtual awaitable<std::shared_ptr<void>> invoke(CallContext call, const OperationModel& op, std::shared_ptr<void> input) = 0;
};

}  // namespace parvis::aws
