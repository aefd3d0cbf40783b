#include "services/sts/operations.h"

#include "services/sts/assume_role.h"

namespace parvis::sts {
namespace model = aws::model::sts;
namespace {

awaitable<model::GetCallerIdentityOutput> get_caller_identity(aws::CallContext call, model::GetCallerIdentityInput) {
  co_return caller_identity(call);
}

}  // namespace

model::GetCallerIdentityOutput caller_identity(const aws::CallContext& call) {
  model::GetCallerIdentityOutput out;
  const std::string root = "arn:aws:iam::" + call.scope.account + ":root";
  out.account = call.scope.account;
  out.arn = call.principal.arn.empty() ? root : call.principal.arn;
  out.user_id = *out.arn == root || call.principal.access_key_id.empty() ? call.scope.account : call.principal.access_key_id;
  return out;
}

void bind(aws::Registry& registry, Dependencies dependencies) {
  registry.bind<model::GetCallerIdentity>(get_caller_identity);
  auto shared = std::make_shared<const Dependencies>(std::move(dependencies));
  registry.bind<model::AssumeRole>([shared](aws::CallContext call, model::AssumeRoleInput in) {
    return assume_role(*shared, std::move(call), std::move(in));
  });
}

}  // namespace parvis::sts
