// cloudformation/custom_answers.h: where functions behind custom resources send their answers.
//
// A request gets a URL of the platform with a secret in its path; whoever knows it may answer, once (the same answer again is
// accepted). Stored under ("*", "cloudformation", "custom", request id), sealed: secret, what was answered, and whether a failure was
// told. So an answer survives a kill and a step that is repeated finds what its first try was told. Records go after a day.
// Source: CloudFormation User Guide, "Custom resource response objects" (4,096 bytes).
#pragma once

#include <optional>
#include <string>

#include "core/async.h"
#include "core/clock.h"
#include "http/message.h"
#include "templates/vault.h"

namespace parvis::cloudformation {

namespace json = boost::json;

inline constexpr std::size_t kAnswerBytesMax = 4096;
inline constexpr std::string_view kAnswerPath = "/_parvis/custom-resource/";  // + request id "/" secret

// What is known of a failed request: the function said so, it did not end its work, or nobody knows.
inline constexpr std::string_view kToldAnswered = "answered", kToldBroken = "broken", kToldSilent = "silent";

class CustomAnswers {  // thread-safe; everything given outlives it
 public:
  CustomAnswers(templates::Vault vault, const Clock& clock, std::string base_url) : vault_(vault), clock_(clock), base_url_(std::move(base_url)) {}

  struct Request {
    std::string url;
    std::optional<std::string> answer;  // the body that was sent
    std::string told;                   // how a step with this id has failed before: kTold…; empty: it has not
  };
  // The request of this id; made when it is new.
  awaitable<Request> open(std::string id);
  awaitable<std::optional<std::string>> answer(std::string id);
  awaitable<> tell_failure(std::string id, std::string how);

  // PUT of an answer.
  awaitable<http::Response> handle(http::Request request);

 private:
  struct Record {
    json::object members;
    storage::Version version = 0;
  };
  awaitable<std::optional<Record>> find(std::string id);
  awaitable<bool> write(std::string id, json::object members, std::optional<storage::Version> expected);
  awaitable<> forget_old();

  templates::Vault vault_;
  const Clock& clock_;
  const std::string base_url_;
};

}  // namespace parvis::cloudformation
