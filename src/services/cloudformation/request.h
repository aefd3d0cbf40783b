// cloudformation/request.h: what a request says about a deployment, checked as CloudFormation checks it. Internal.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/cloudformation.h"
#include "templates/document.h"
#include "templates/stack.h"

namespace parvis::cloudformation {

namespace json = boost::json;
namespace model = aws::model::cloudformation;
using Parameters = std::optional<std::vector<model::Parameter>>;

inline constexpr std::size_t kTemplateBodyMax = 51'200;        // bytes in a request
inline constexpr std::size_t kTemplateUrlBytesMax = 1u << 20;  // bytes in S3

[[noreturn]] void refuse(std::string message);  // ValidationError
[[noreturn]] void refuse(const std::vector<templates::Diagnostic>& errors);
void check_stack_name(const std::string& name);

struct S3Place {
  std::string bucket, key, version;
};
// Of https://bucket.s3.region.amazonaws.com/key, https://s3.region.amazonaws.com/bucket/key and the same on this platform's hosts.
// Throws ValidationError.
S3Place place_of(const std::string& url);

// A template as the user wrote it, and as it is deployed.
struct Prepared {
  templates::Document processed;
  std::map<std::string, json::value> parameters;
  json::object given;    // the same, to be stored
  std::string text;      // as written
  bool transformed = false;
};
struct PrepareOptions {
  std::string region;
  std::vector<std::string> capabilities;
  const json::object* previous = nullptr;  // values of the stack, for UsePreviousValue
  bool expands_directly = false;           // without a change set, so that CAPABILITY_AUTO_EXPAND is needed
  std::map<std::string, std::string> files = {};  // texts of the files that the template includes, by location
};
// Throws ValidationError or InsufficientCapabilitiesException.
Prepared prepare(std::string text, const Parameters& parameters, const PrepareOptions& options);

templates::Document parse_template(const std::string& text);
struct Needed {
  std::vector<std::string> capabilities, types;  // "CAPABILITY_IAM", and the resource types that need it
};
Needed needed_capabilities(const templates::Document& document);
std::vector<std::string> transforms_of(const templates::Document& document);

// What is kept with the stack: template, processed, description, given, tags, capabilities.
json::object details_of(const Prepared& prepared, const std::optional<std::vector<model::Tag>>& tags, const std::vector<std::string>& capabilities);

json::object member_object(const json::object& from, std::string_view name);  // empty when it is not there
std::string member_text(const json::object& from, std::string_view name);     // "" when it is not there
// Throws ValidationError when the stack's status does not allow an update.
void check_updatable(const templates::Stack& stack);
// The template that a stack was deployed from by API. Throws ValidationError when there is none.
std::string previous_template(const templates::Stack& stack);
aws::Timestamp timestamp(Millis time);

// One page of a list and the token of the next. A token is the number of what was given. Throws ValidationError for another.
template <class T>
std::optional<std::string> take_page(std::vector<T>& all, const std::optional<std::string>& token, std::size_t size) {
  std::size_t from = 0;
  if (token) {
    for (const char c : *token) {
      if (c < '0' || c > '9' || from > 10'000'000) refuse("Invalid NextToken");
      from = from * 10 + static_cast<std::size_t>(c - '0');
    }
  }
  from = std::min(from, all.size());
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(from));
  if (all.size() <= size) return std::nullopt;
  all.resize(size);
  return std::to_string(from + size);
}

}  // namespace parvis::cloudformation
