// aws/router.h: which operation of which service an HTTP request asks for. Pure; thread-safe to read.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aws/api_call.h"
#include "aws/model.h"
#include "http/message.h"

namespace parvis::aws {

// What the Authorization header or the presigned query claims; fields are empty when there is none. Not verified.
struct ClaimedScope {
  std::string access_key_id, region, service;
};
ClaimedScope claimed_scope(const http::Request& request);

struct Route {
  const ServiceModel* service = nullptr;    // nullptr: no bound service matches
  const Registry::Entry* entry = nullptr;   // nullptr: no handler
  std::string service_name, operation;      // for messages, also when there is no handler; operation may be empty
  bool known_operation = false;             // AWS's model has it
  Protocol protocol = Protocol::kJson;      // how to shape an error
  std::map<std::string, std::string, std::less<>> labels;  // of the path, decoded
  ClaimedScope claimed;
};

class Router {
 public:
  explicit Router(const Registry& registry);
  // Order: X-Amz-Target, Action= (query string or form), else method and path among the services that sign as the
  // credential scope says (all but S3 when there is no scope, S3 last). When none of them fits: the service of the json
  // protocol that the scope names, without an operation.
  Route find(const http::Request& request) const;

 private:
  struct Target {
    const ServiceModel* service;
    const Registry::Entry* entry;  // nullptr: no handler
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  void find_target(std::string_view target, Route& route) const;
  bool find_action(const http::Request& request, Route& route) const;
  void find_path(const http::Request& request, Route& route) const;
  void find_signed(Route& route) const;
  void bind(Route& route) const;

  const Registry& registry_;
  std::vector<const ServiceModel*> services_;
  std::unordered_map<std::string, Target, TextHash, std::equal_to<>> targets_;  // by X-Amz-Target: every operation of the models
};

// Matches the path of a URI pattern ("/2015-03-31/functions/{FunctionName}/code", "/{Bucket}/{Key+}"); fills `labels`
// (decoded). Returns the number of literal segments, or -1. A slash at the end makes no difference outside {Label+}.
int match_uri(std::string_view pattern, std::string_view path, std::map<std::string, std::string, std::less<>>& labels);

}  // namespace parvis::aws
