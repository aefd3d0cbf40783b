#include "services/lambda/operations.h"
#include "services/lambda/request.h"

namespace parvis::lambda {

awaitable<Policy> LambdaService::change_policy(FunctionRef ref, std::function<void(Policy&)> change) {
  if (ref.qualifier == kLatest) throw error(kInvalidParameterValue, "We currently do not support adding policies for $LATEST.");
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const Target found = co_await target(ref);
    const PartId id{kPolicyPart, ref.qualifier};
    const std::optional<Part> part = co_await functions_.part(found.function.record, id);
    Policy policy;
    if (part) policy = parse_policy(part->bytes).value();
    change(policy);
    policy.revision_id = entropy_.uuid();
    const std::optional<storage::Version> expected = part ? std::optional(part->version) : std::nullopt;
    const bool done = policy.statements.empty() && part
        ? co_await functions_.erase_part(found.function, id, part->version)
        : co_await functions_.write_part(found.function, id, to_json(policy), expected);
    if (done) co_return policy;
  }
  throw update_in_progress(ref);
}

awaitable<model::AddPermissionOutput> LambdaService::add_permission(aws::CallContext call, model::AddPermissionInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  const Statement statement = make_statement(ref, in);
  co_await change_policy(ref, [&](Policy& policy) {
    check_policy_revision(policy, in.revision_id);
    add_statement(policy, statement);
  });
  model::AddPermissionOutput out;
  out.statement = boost::json::serialize(statement.body);
  co_return out;
}

awaitable<model::RemovePermissionOutput> LambdaService::remove_permission(aws::CallContext call, model::RemovePermissionInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier));
  co_await change_policy(ref, [&](Policy& policy) {
    if (policy.statements.empty()) throw error(kResourceNotFound, "No policy is associated with the given resource.");
    check_policy_revision(policy, in.revision_id);
    remove_statement(policy, or_default(in.statement_id));
  });
  co_return model::RemovePermissionOutput{};
}

awaitable<model::GetPolicyOutput> LambdaService::get_policy(aws::CallContext call, model::GetPolicyInput in) {
  const Policy policy = co_await policy_of(parse_function_ref(call.scope, or_default(in.function_name), or_default(in.qualifier)));
  model::GetPolicyOutput out;
  out.policy = policy_document(policy);
  out.revision_id = policy.revision_id;
  co_return out;
}

awaitable<Policy> LambdaService::policy_of(FunctionRef ref) {
  const Target found = co_await target(ref);
  if (is_latest(ref.qualifier)) ref.qualifier.clear();
  const std::optional<Part> part = co_await functions_.part(found.function.record, {kPolicyPart, ref.qualifier});
  if (!part) throw error(kResourceNotFound, "The resource you requested does not exist.");
  co_return parse_policy(part->bytes).value();
}

// The same policy as a whole; it takes the place of what AddPermission has written.
awaitable<model::PutResourcePolicyOutput> LambdaService::put_resource_policy(aws::CallContext call, model::PutResourcePolicyInput in) {
  const FunctionRef ref = parse_function_ref(call.scope, or_default(in.resource_arn));
  const Policy given = read_policy(or_default(in.policy), ref.qualified_arn());
  const Policy now = co_await change_policy(ref, [&](Policy& policy) {
    check_policy_revision(policy, in.revision_id, "GetResourcePolicy");
    policy = given;
  });
  model::PutResourcePolicyOutput out;
  out.policy = policy_document(now);
  out.revision_id = now.revision_id;
  co_return out;
}

awaitable<model::GetResourcePolicyOutput> LambdaService::get_resource_policy(aws::CallContext call, model::GetResourcePolicyInput in) {
  const Policy policy = co_await policy_of(parse_function_ref(call.scope, or_default(in.resource_arn)));
  model::GetResourcePolicyOutput out;
  out.policy = policy_document(policy);
  out.revision_id = policy.revision_id;
  co_return out;
}

awaitable<model::DeleteResourcePolicyOutput> LambdaService::delete_resource_policy(aws::CallContext call, model::DeleteResourcePolicyInput in) {
  co_await change_policy(parse_function_ref(call.scope, or_default(in.resource_arn)), [&](Policy& policy) {
    if (policy.statements.empty()) throw error(kResourceNotFound, "The resource you requested does not exist.");
    check_policy_revision(policy, in.revision_id, "GetResourcePolicy");
    policy.statements.clear();
  });
  co_return model::DeleteResourcePolicyOutput{};
}

}  // namespace parvis::lambda
