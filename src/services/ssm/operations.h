// ssm/operations.h: Parameter Store, the part of Systems Manager that applications and templates use.
// Source: Systems Manager API Reference (2014-11-06); User Guide, "Parameter Store".
#pragma once

#include "aws/api_call.h"
#include "aws/resource_type.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "core/seal.h"
#include "models/ssm.h"
#include "services/ssm/parameter_name.h"
#include "services/ssm/parameter_store.h"

namespace parvis::ssm {

namespace model = aws::model::ssm;

class SsmService {  // thread-safe; everything given outlives it
 public:
  SsmService(storage::Store& store, const SealKey& key, const Clock& clock, Entropy& entropy)
      : parameters_(store, key, entropy), clock_(clock), entropy_(entropy) {}
  void bind(aws::Registry& registry);

 private:
  awaitable<model::PutParameterOutput> put(aws::CallContext call, model::PutParameterInput in);
  awaitable<model::GetParameterOutput> get(aws::CallContext call, model::GetParameterInput in);
  awaitable<model::GetParametersOutput> get_many(aws::CallContext call, model::GetParametersInput in);
  awaitable<model::GetParametersByPathOutput> get_by_path(aws::CallContext call, model::GetParametersByPathInput in);
  awaitable<model::GetParameterHistoryOutput> history(aws::CallContext call, model::GetParameterHistoryInput in);
  awaitable<model::DescribeParametersOutput> describe(aws::CallContext call, model::DescribeParametersInput in);
  awaitable<model::DeleteParameterOutput> remove(aws::CallContext call, model::DeleteParameterInput in);
  awaitable<model::DeleteParametersOutput> remove_many(aws::CallContext call, model::DeleteParametersInput in);
  awaitable<model::LabelParameterVersionOutput> label(aws::CallContext call, model::LabelParameterVersionInput in);
  awaitable<model::UnlabelParameterVersionOutput> unlabel(aws::CallContext call, model::UnlabelParameterVersionInput in);
  awaitable<model::AddTagsToResourceOutput> tag(aws::CallContext call, model::AddTagsToResourceInput in);
  awaitable<model::RemoveTagsFromResourceOutput> untag(aws::CallContext call, model::RemoveTagsFromResourceInput in);
  awaitable<model::ListTagsForResourceOutput> list_tags(aws::CallContext call, model::ListTagsForResourceInput in);

  // What a reference names; throws ParameterNotFound, ParameterVersionNotFound.
  struct Named {
    ParameterRecord record;
    ParameterVersion version;
    std::string selector;
  };
  awaitable<Named> look_up(aws::Scope scope, std::string reference);
  awaitable<std::optional<ParameterStore::Found>> find(aws::Scope scope, Reference reference);
  model::Parameter shown(const aws::Scope& scope, const Named& found, bool decrypt) const;

  ParameterStore parameters_;
  const Clock& clock_;
  Entropy& entropy_;
};

// Throws TooManyTagsError, ValidationException. `reserved`: keys that begin with aws: may be given.
void put_tags(ParameterRecord& record, const std::vector<model::Tag>& tags, bool reserved);

// AWS::SSM::Parameter. `api` outlives `types`.
void add_resource_types(aws::ResourceTypes& types, aws::ApiClient& api);

}  // namespace parvis::ssm
