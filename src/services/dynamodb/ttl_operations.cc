// UpdateTimeToLive and DescribeTimeToLive.
#include "services/dynamodb/errors.h"
#include "services/dynamodb/expiry.h"
#include "services/dynamodb/request.h"

namespace parvis::dynamodb {

awaitable<model::DescribeTimeToLiveOutput> Service::describe_time_to_live(aws::CallContext call,
                                                                          model::DescribeTimeToLiveInput in) {
  const Table table = co_await find_named(catalog_, call.scope, table_name(call.scope, in.table_name));
  model::DescribeTimeToLiveOutput out;
  model::TimeToLiveDescription& description = out.time_to_live_description.emplace();
  description.time_to_live_status = table->ttl_attribute.empty() ? "DISABLED" : table->ttl_filling ? "ENABLING" : "ENABLED";
  if (!table->ttl_attribute.empty()) description.attribute_name = table->ttl_attribute;
  co_return out;
}

awaitable<model::UpdateTimeToLiveOutput> Service::update_time_to_live(aws::CallContext call,
                                                                      model::UpdateTimeToLiveInput in) {
  const model::TimeToLiveSpecification& wanted = in.time_to_live_specification.value();
  const std::string id = catalog_.entropy().token(8);
  std::string ended;  // by an earlier attempt whose outcome was unknown
  co_await catalog_.modify_with(
      call.scope, table_name(call.scope, in.table_name), [&](TableRecord& record, storage::Commit& commit) {
        check_active(record);
        if (record.ttl_id == id) return;  // an earlier attempt arrived
        const bool on = !record.ttl_attribute.empty();
        if (!*wanted.enabled && !on && !ended.empty()) return;
        if (on && record.ttl_attribute != *wanted.attribute_name) {
          throw_validation("TimeToLive is active on a different AttributeName: current AttributeName is " +
                           record.ttl_attribute);
        }
        if (*wanted.enabled == on) throw_validation(on ? "TimeToLive is already enabled" : "TimeToLive is already disabled");
        if (on) {
          ended = record.ttl_id;
          end_expiry(record, commit);
        } else {
          start_expiry(record, id, *wanted.attribute_name, commit);
        }
      });
  if (!*wanted.enabled) run_in_background(co_await asio::this_coro::executor, catalog_.run_purges(stopping_));
  co_return model::UpdateTimeToLiveOutput{.time_to_live_specification = wanted};
}

}  // namespace parvis::dynamodb
