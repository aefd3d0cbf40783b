// dynamodb/s3_objects.h: the object store of exports and imports: S3's API, called in the process.
#pragma once

#include "core/clock.h"
#include "core/entropy.h"
#include "services/dynamodb/object_port.h"

namespace parvis::dynamodb {

class S3Objects : public Objects {  // all arguments outlive it
 public:
  S3Objects(aws::ApiClient& api, const Clock& clock, Entropy& entropy) : api_(api), clock_(clock), entropy_(entropy) {}
  awaitable<std::string> put(ObjectPlace place, std::string key, std::string bytes) override;
  awaitable<std::vector<std::string>> list(ObjectPlace place, std::string prefix, std::string after) override;
  awaitable<std::shared_ptr<http::ByteSource>> open(ObjectPlace place, std::string key) override;

 private:
  aws::CallContext context(const ObjectPlace& place);

  aws::ApiClient& api_;
  const Clock& clock_;
  Entropy& entropy_;
};

}  // namespace parvis::dynamodb
