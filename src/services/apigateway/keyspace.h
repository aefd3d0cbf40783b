// apigateway/keyspace.h: what is stored.
//
// | key (tuple)                                   | value                                              |
// |-----------------------------------------------|----------------------------------------------------|
// | account, region, "apigateway", "api", api id  | JSON of api.h: the API, its deployments and stages |
#pragma once

#include <string>

#include "aws/api_call.h"
#include "storage/tuple.h"

namespace parvis::apigateway {

inline std::string apis_prefix(const aws::Scope& scope) {
  return storage::TupleWriter().string(scope.account).string(scope.region).string("apigateway").string("api").take();
}
inline std::string api_key(const aws::Scope& scope, std::string_view id) {
  return storage::TupleWriter(apis_prefix(scope)).string(id).take();
}

}  // namespace parvis::apigateway
