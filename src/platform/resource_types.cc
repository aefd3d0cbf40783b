#include "platform/resource_types.h"

#include <stdexcept>

#include "services/apigateway/resources.h"
#include "services/dynamodb/resources.h"
#include "services/iam/operations.h"
#include "services/lambda/resources.h"
#include "services/logs/operations.h"
#include "services/s3/operations.h"
#include "services/ssm/operations.h"

namespace parvis::platform {
namespace {

[[noreturn]] void refuse() { throw std::logic_error("a described resource type was asked to do something"); }

class NoApi final : public aws::ApiClient {
 public:
  awaitable<boost::json::value> call_json(aws::CallContext, std::string_view, std::string_view, boost::json::value) override { refuse(); }
  awaitable<std::shared_ptr<void>> invoke(aws::CallContext, const aws::OperationModel&, std::shared_ptr<void>) override { refuse(); }
};

class NoStore final : public storage::Store {
 public:
  std::shared_ptr<storage::Snapshot> snapshot() override { refuse(); }
  awaitable<std::expected<storage::Stamp, storage::StoreError>> commit(storage::Commit) override { refuse(); }
  storage::Stamp stable_stamp() const override { refuse(); }
  std::uint64_t size_bytes() const override { refuse(); }
};

struct Described {
  Described() { add_resource_types(types, api, apis); }
  Clock clock;
  Entropy entropy;
  NoStore store;
  NoApi api;
  apigateway::ApiCatalog apis{store, clock, entropy};
  aws::ResourceTypes types;
};

}  // namespace

const aws::ResourceTypes& described_resource_types() {
  static const Described described;
  return described.types;
}

void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api, apigateway::ApiCatalog& apis) {
  dynamodb::register_resource_types(types, api);
  lambda::add_resource_types(types, api);
  iam::add_resource_types(types, api);
  logs::add_resource_types(types, api);
  s3::add_resource_types(types, api);
  ssm::add_resource_types(types, api);
  apigateway::add_resource_types(types, apis);
}

}  // namespace parvis::platform
