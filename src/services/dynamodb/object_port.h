// dynamodb/object_port.h: what exports and imports need of an object store; platform/ binds it to S3's API.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aws/api_call.h"
#include "http/message.h"

namespace parvis::dynamodb {

struct ObjectPlace {
  aws::Scope scope;           // of the table
  std::string principal_arn;  // who asked for the export or import
  std::string bucket, owner;  // owner: the account that the bucket must belong to; empty: any
};

// Every call throws aws::ApiError with S3's code (NoSuchBucket, AccessDenied, …).
class Objects {  // thread-safe
 public:
  virtual ~Objects() = default;
  // Returns the ETag, without quotes.
  virtual awaitable<std::string> put(ObjectPlace place, std::string key, std::string bytes) = 0;
  // Keys with the prefix, in order, behind `after`; at most 1,000. Empty: there are no more.
  virtual awaitable<std::vector<std::string>> list(ObjectPlace place, std::string prefix, std::string after) = 0;
  virtual awaitable<std::shared_ptr<http::ByteSource>> open(ObjectPlace place, std::string key) = 0;
};

}  // namespace parvis::dynamodb
