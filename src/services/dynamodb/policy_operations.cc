// PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy of tables and their latest streams.
// Differs from AWS: policies are kept and given back, not evaluated.
#include <boost/json.hpp>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/table_settings.h"

namespace parvis::dynamodb {
namespace {

constexpr std::string_view kNoPolicy = "NO_POLICY";

std::string table_of(const aws::Scope& scope, const std::optional<std::string>& arn) {
  check_arn(arn.value());
  return table_name(scope, arn);
}

// Where the resource keeps its policy and the revision of that. Throws ResourceNotFoundException for another stream than
// the table's latest.
struct Place {
  std::string& policy;
  std::string& revision;
};
Place place_of(TableRecord& record, const std::string& arn) {
  constexpr std::string_view kStream = "/stream/";
  const std::size_t at = arn.find(kStream);
  if (at == arn.npos) return {record.policy, record.policy_revision};
  if (record.stream && record.stream->label == arn.substr(at + kStream.size())) {
    return {record.stream->policy, record.stream->policy_revision};
  }
  throw aws::ApiError(kResourceNotFound, "Requested resource not found: Stream: " + arn + " not found");
}

[[noreturn]] void throw_no_policy(const std::string& what) {
  throw aws::ApiError(kPolicyNotFound, "Resource-based policy not found for the provided ResourceArn: " + what);
}

// Later revisions are larger, as on AWS: the time in milliseconds.
std::string revision_after(const std::string& last, const Clock& clock) {
  const std::int64_t now = clock.wall().time_since_epoch().count();
  return std::to_string(last.empty() ? now : std::max<std::int64_t>(now, std::stoll(last) + 1));
}

// Throws PolicyNotFoundException unless the policy is the one that the caller expects.
// Source of the words: moto's tests that are marked as verified.
void check_revision(const Place& place, const std::optional<std::string>& expected, const std::string& table, const std::string& arn) {
  if (!expected || *expected == (place.policy.empty() ? std::string(kNoPolicy) : place.revision)) return;
  if (place.policy.empty()) throw_no_policy(arn);
  if (*expected == kNoPolicy) {
    throw_no_policy("Requested policy update expecting none to be present for table " + table + ", but a policy exists with revision id " +
                    place.revision + ".");
  }
  throw_no_policy("Requested update for policy with revision id " + *expected + ", but the policy associated to target table " + table +
                  " has revision id " + place.revision + ".");
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
  const std::string policy = checked_policy(in.policy.value());
  const std::string arn = in.resource_arn.value();
  std::string written;  // by an earlier attempt, whose outcome may be unknown
  const Table table = co_await catalog_.modify(call.scope, table_of(call.scope, arn), [&](TableRecord& record) {
    const Place place = place_of(record, arn);
    if (!written.empty() && place.revision == written && place.policy == policy) return;
    check_active(record);
    check_revision(place, in.expected_revision_id, record.name, arn);
    if (place.policy == policy) return;  // the same document keeps its revision
    place.policy = policy;
    place.revision = written = revision_after(place.revision, catalog_.clock());
  });
  TableRecord record = *table;
  co_return model::PutResourcePolicyOutput{.revision_id = place_of(record, arn).revision};
}

awaitable<model::GetResourcePolicyOutput> Service::get_resource_policy(aws::CallContext call, model::GetResourcePolicyInput in) {
  const std::string arn = in.resource_arn.value();
  const Table table = co_await find_named(catalog_, call.scope, table_of(call.scope, arn));
  TableRecord record = *table;
  const Place place = place_of(record, arn);
  if (place.policy.empty()) throw_no_policy(arn);
  co_return model::GetResourcePolicyOutput{.policy = place.policy, .revision_id = place.revision};
}

awaitable<model::DeleteResourcePolicyOutput> Service::delete_resource_policy(aws::CallContext call,
                                                                             model::DeleteResourcePolicyInput in) {
  const std::string arn = in.resource_arn.value();
  std::string removed;  // also by an earlier attempt whose outcome was unknown
  co_await catalog_.modify(call.scope, table_of(call.scope, arn), [&](TableRecord& record) {
    check_active(record);
    const Place place = place_of(record, arn);
    if (place.policy.empty() && !removed.empty()) return;
    if (in.expected_revision_id && place.policy.empty()) throw_no_policy(arn);
    check_revision(place, in.expected_revision_id, record.name, arn);
    removed = place.revision;
    place.policy.clear();
    place.revision.clear();
  });
  model::DeleteResourcePolicyOutput out;
  if (!removed.empty()) out.revision_id = removed;
  co_return out;
}

}  // namespace parvis::dynamodb
