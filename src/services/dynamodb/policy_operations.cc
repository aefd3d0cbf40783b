// PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy of tables.
// Differs from AWS: policies are kept and given back, not evaluated.
#include <boost/json.hpp>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/table_settings.h"

namespace parvis::dynamodb {
namespace {

constexpr std::string_view kNoPolicy = "NO_POLICY";

std::string table_of(const aws::Scope& scope, const std::optional<std::string>& arn) {
  if (!arn->starts_with("arn:")) throw_validation("Invalid ResourceArn: Invalid ARN provided as input " + *arn);
  if (arn->find("/stream/") != std::string::npos) throw_validation("Policies of streams are not implemented");
  return table_name(scope, arn);
}

[[noreturn]] void throw_no_policy(const std::string& arn) {
  throw aws::ApiError(kPolicyNotFound, "Resource-based policy not found for the provided ResourceArn: " + arn);
}

// Throws PolicyNotFoundException unless the table's policy is the one that the caller expects.
void check_revision(const TableRecord& table, const std::optional<std::string>& expected) {
  if (!expected) return;
  const std::string current = table.policy.empty() ? std::string(kNoPolicy) : table.policy_revision;
  if (*expected != current) throw_no_policy(table.arn());
}

}  // namespace

std::string checked_policy(const std::string& policy) {
  if (policy.size() > kPolicyBytesMax) throw_validation("Resource policy exceeds the maximum size of 20 KB");
  boost::system::error_code error;
  const boost::json::value document = boost::json::parse(policy, error);
  const boost::json::object* object = error ? nullptr : document.if_object();
  if (!object || !object->contains("Statement")) throw_validation("Invalid policy document: it must be a JSON object with a Statement");
  return policy;
}

awaitable<model::PutResourcePolicyOutput> Service::put_resource_policy(aws::CallContext call, model::PutResourcePolicyInput in) {
  const std::string policy = checked_policy(in.policy.value()), revision = catalog_.entropy().token(13, "123456789");
  const Table table = co_await catalog_.modify(call.scope, table_of(call.scope, in.resource_arn), [&](TableRecord& record) {
    if (record.policy_revision == revision) return;  // an earlier attempt arrived
    check_active(record);
    check_revision(record, in.expected_revision_id);
    if (record.policy == policy) return;  // the same document keeps its revision
    record.policy = policy;
    record.policy_revision = revision;
  });
  co_return model::PutResourcePolicyOutput{.revision_id = table->policy_revision};
}

awaitable<model::GetResourcePolicyOutput> Service::get_resource_policy(aws::CallContext call, model::GetResourcePolicyInput in) {
  const Table table = co_await find_named(catalog_, call.scope, table_of(call.scope, in.resource_arn));
  if (table->policy.empty()) throw_no_policy(table->arn());
  co_return model::GetResourcePolicyOutput{.policy = table->policy, .revision_id = table->policy_revision};
}

awaitable<model::DeleteResourcePolicyOutput> Service::delete_resource_policy(aws::CallContext call,
                                                                             model::DeleteResourcePolicyInput in) {
  std::string removed;  // also by an earlier attempt whose outcome was unknown
  co_await catalog_.modify(call.scope, table_of(call.scope, in.resource_arn), [&](TableRecord& record) {
    check_active(record);
    if (record.policy.empty() && !removed.empty()) return;
    if (in.expected_revision_id && record.policy.empty()) throw_no_policy(record.arn());
    check_revision(record, in.expected_revision_id);
    removed = record.policy_revision;
    record.policy.clear();
    record.policy_revision.clear();
  });
  model::DeleteResourcePolicyOutput out;
  if (!removed.empty()) out.revision_id = removed;
  co_return out;
}

}  // namespace parvis::dynamodb
