#include "services/dynamodb/resources.h"

#include <algorithm>

#include <boost/asio/steady_timer.hpp>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/table_rules.h"

// Source: CloudFormation Template Reference, AWS::DynamoDB::Table.
namespace parvis::dynamodb {
namespace {

namespace json = boost::json;
constexpr std::string_view kRequired[] = {"KeySchema"};
constexpr std::size_t kTableNameLengthMax = 255;
constexpr int kIndexPollsMax = 3000;

// CloudFormation takes "5" and "true" for numbers and booleans.
json::value as_number(const json::value& value) {
  if (!value.is_string()) return value;
  try {
    return std::stoll(std::string(value.as_string()));
  } catch (const std::exception&) {
    throw_validation("Expected a number: " + std::string(value.as_string()));
  }
}
json::value as_bool(const json::value& value) {
  if (!value.is_string()) return value;
  return value.as_string() == "true";
}
json::object throughput(const json::value& value) {
  json::object out;
  for (const auto& [name, each] : value.as_object()) out[name] = as_number(each);
  return out;
}

constexpr std::string_view kCapacities[] = {"ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput"};
const json::object kNoMaximum{{"MaxReadRequestUnits", -1}, {"MaxWriteRequestUnits", -1}};

json::object index(const json::value& value) {
  json::object out;
  for (const auto& [name, each] : value.as_object()) {
    if (name == "IndexName" || name == "KeySchema" || name == "Projection") out[name] = each;
    if (std::ranges::find(kCapacities, std::string_view(name)) != std::end(kCapacities)) out[name] = throughput(each);
  }
  return out;
}

// What the template says of an index's capacity now and did not say before. `before`: null for nothing.
json::object capacity_changes(const json::value& wanted, const json::value& before, bool on_demand) {
  json::object now = index(wanted), old = before.is_null() ? json::object() : index(before), out;
  for (const std::string_view name : kCapacities) {
    if (now.contains(name) && now[name] != old[name]) out[name] = now[name];
  }
  if (on_demand && old.contains("OnDemandThroughput") && !now.contains("OnDemandThroughput")) out["OnDemandThroughput"] = kNoMaximum;
  return out;
}

json::array tags_of(const aws::ResourceRequest& request) {
  json::array tags;
  if (const json::value* own = request.properties.if_contains("Tags")) tags = own->as_array();
  // As CloudFormation tags what it makes; create() recognizes its own table by them.
  tags.push_back(json::object{{"Key", "aws:cloudformation:stack-id"}, {"Value", request.stack_id}});
  tags.push_back(json::object{{"Key", "aws:cloudformation:stack-name"}, {"Value", request.stack_name}});
  tags.push_back(json::object{{"Key", "aws:cloudformation:logical-id"}, {"Value", request.logical_id}});
  return tags;
}

void copy_settings(const json::object& properties, json::object& input) {
  for (const auto& [name, value] : properties) {
    if (name == "BillingMode" || name == "TableClass" || name == "AttributeDefinitions") input[name] = value;
    if (std::ranges::find(kCapacities, std::string_view(name)) != std::end(kCapacities)) input[name] = throughput(value);
    if (name == "DeletionProtectionEnabled") input[name] = as_bool(value);
  }
}

// The view type of the stream that the template wants, "" for none.
std::string stream_view_of(const json::object& properties) {
  const json::value* wanted = properties.if_contains("StreamSpecification");
  return wanted ? json::value_to<std::string>(wanted->at("StreamViewType")) : std::string();
}
json::object stream_input(const std::string& view) {
  return view.empty() ? json::object{{"StreamEnabled", false}} : json::object{{"StreamEnabled", true}, {"StreamViewType", view}};
}

// The attribute that the template wants items to expire by, "" for none.
std::string expiry_attribute_of(const json::object& properties) {
  const json::value* wanted = properties.if_contains("TimeToLiveSpecification");
  if (!wanted || !as_bool(wanted->at("Enabled")).as_bool()) return {};
  const json::value* name = wanted->as_object().if_contains("AttributeName");
  if (!name) throw_validation("TimeToLiveSpecification.AttributeName is required when Enabled is true");
  return json::value_to<std::string>(*name);
}

std::map<std::string, json::value> indexes_by_name(const json::object& properties) {
  std::map<std::string, json::value> out;
  const json::value* indexes = properties.if_contains("GlobalSecondaryIndexes");
  if (!indexes) return out;
  for (const json::value& each : indexes->as_array()) out[std::string(each.at("IndexName").as_string())] = each;
  return out;
}

class TableResource : public aws::ResourceType {
 public:
  explicit TableResource(aws::ApiClient& client) : client_(client) {}
  std::string_view name() const override { return "AWS::DynamoDB::Table"; }
  std::span<const aws::PropertyRule> rules() const override { return rules::kTableRules; }
  std::span<const std::string_view> required() const override { return kRequired; }
  bool holds_data() const override { return true; }

  awaitable<aws::ResourceResult> create(aws::ResourceRequest request) override {
    const json::object& properties = request.properties;
    const json::value* given = properties.if_contains("TableName");
    const std::string table = given ? std::string(given->as_string()) : request.generated_name(kTableNameLengthMax);
    json::object input{{"TableName", table}, {"KeySchema", properties.at("KeySchema")}, {"Tags", tags_of(request)}};
    copy_settings(properties, input);
    if (const json::value* local = properties.if_contains("LocalSecondaryIndexes")) input["LocalSecondaryIndexes"] = *local;
    if (const json::value* global = properties.if_contains("GlobalSecondaryIndexes")) {
      json::array indexes;
      for (const json::value& each : global->as_array()) indexes.push_back(index(each));
      input["GlobalSecondaryIndexes"] = std::move(indexes);
    }
    if (const std::string view = stream_view_of(properties); !view.empty()) input["StreamSpecification"] = stream_input(view);
    std::exception_ptr exists;
    try {
      co_await call(request, "CreateTable", std::move(input));
    } catch (const aws::ApiError& error) {
      if (error.code() != kResourceInUse.code) throw;
      exists = std::current_exception();
    }
    const json::value description = co_await describe(request, table);
    if (exists && !co_await is_own(request, description)) std::rethrow_exception(exists);
    co_await update_expiry(request, table);
    co_await update_history(request, table);
    co_await update_policy(request, description);
    co_return result(table, description);
  }

  awaitable<aws::ResourceResult> update(aws::ResourceRequest request) override {
    const std::string table = request.physical_id;
    co_await update_settings(request, table);
    co_await update_indexes(request, table);
    co_await update_stream(request, table);
    co_await update_expiry(request, table);
    co_await update_history(request, table);
    const json::value description = co_await describe(request, table);
    co_await update_tags(request, description);
    co_await update_policy(request, description);
    co_return result(table, description);
  }

  awaitable<> remove(aws::ResourceRequest request) override {
    try {
      co_await call(request, "DeleteTable", {{"TableName", request.physical_id}});
    } catch (const aws::ApiError& error) {
      if (error.code() != kResourceNotFound.code) throw;
    }
  }

 private:
  awaitable<json::value> call(const aws::ResourceRequest& request, std::string_view operation, json::object input) {
    co_return co_await client_.call_json(request.call, "dynamodb", operation, std::move(input));
  }
  awaitable<json::value> describe(const aws::ResourceRequest& request, std::string table) {
    const json::value out = co_await call(request, "DescribeTable", {{"TableName", table}});
    co_return out.at("Table");
  }
  awaitable<bool> is_own(const aws::ResourceRequest& request, const json::value& description) {
    const json::value out = co_await call(request, "ListTagsOfResource", {{"ResourceArn", description.at("TableArn")}});
    int matches = 0;
    for (const json::value& tag : out.at("Tags").as_array()) {
      matches += tag.at("Key") == "aws:cloudformation:stack-id" && tag.at("Value").as_string() == request.stack_id;
      matches += tag.at("Key") == "aws:cloudformation:logical-id" && tag.at("Value").as_string() == request.logical_id;
    }
    co_return matches == 2;
  }
  static aws::ResourceResult result(const std::string& table, const json::value& description) {
    aws::ResourceResult out{table, {{"Arn", description.at("TableArn")}}};
    if (description.as_object().contains("StreamSpecification")) out.attributes["StreamArn"] = description.at("LatestStreamArn");
    return out;
  }

  // What the template wants of the table itself; what was removed from it goes back to its default.
  static json::object wanted_settings(const aws::ResourceRequest& request) {
    json::object out;
    copy_settings(request.properties, out);
    const auto removed = [&](std::string_view name) {
      return request.old_properties.contains(name) && !request.properties.contains(name);
    };
    if (removed("BillingMode")) out["BillingMode"] = "PROVISIONED";
    if (removed("DeletionProtectionEnabled")) out["DeletionProtectionEnabled"] = false;
    if (removed("TableClass")) out["TableClass"] = "STANDARD";
    const json::value* billing = request.properties.if_contains("BillingMode");
    if (removed("OnDemandThroughput") && billing && *billing == "PAY_PER_REQUEST") out["OnDemandThroughput"] = kNoMaximum;
    return out;
  }

  // One kind of setting at a time, as the service demands.
  awaitable<> update_settings(const aws::ResourceRequest& request, std::string table) {
    json::object wanted = wanted_settings(request), before;
    copy_settings(request.old_properties, before);
    const json::value current = co_await describe(request, table);
    const json::value& capacity = current.at("ProvisionedThroughput");
    const auto changes = [&](std::string_view name) { return wanted.contains(name) && wanted[name] != before[name]; };
    json::object billing{{"TableName", table}};
    if (changes("BillingMode")) billing["BillingMode"] = wanted["BillingMode"];
    const bool has_capacity = wanted.contains("ProvisionedThroughput") &&
                              wanted["ProvisionedThroughput"].at("ReadCapacityUnits") == capacity.at("ReadCapacityUnits") &&
                              wanted["ProvisionedThroughput"].at("WriteCapacityUnits") == capacity.at("WriteCapacityUnits");
    if (wanted.contains("ProvisionedThroughput") && (billing.contains("BillingMode") || !has_capacity)) {
      billing["ProvisionedThroughput"] = wanted["ProvisionedThroughput"];
    }
    if (billing.size() > 1) co_await call(request, "UpdateTable", std::move(billing));
    for (const std::string_view name : {"OnDemandThroughput", "WarmThroughput", "TableClass", "DeletionProtectionEnabled"}) {
      if (changes(name)) co_await call(request, "UpdateTable", {{"TableName", table}, {name, wanted[name]}});
    }
  }

  // Another view type is another stream: the old one ends first.
  awaitable<> update_stream(const aws::ResourceRequest& request, std::string table) {
    const std::string wanted = stream_view_of(request.properties);
    const json::value description = co_await describe(request, table);
    const json::value* current = description.as_object().if_contains("StreamSpecification");
    const std::string now = current ? json::value_to<std::string>(current->at("StreamViewType")) : std::string();
    if (now == wanted) co_return;
    if (!now.empty()) co_await call(request, "UpdateTable", {{"TableName", table}, {"StreamSpecification", stream_input("")}});
    if (wanted.empty()) co_return;
    co_await call(request, "UpdateTable", {{"TableName", table}, {"StreamSpecification", stream_input(wanted)}});
  }

  awaitable<> update_expiry(const aws::ResourceRequest& request, std::string table) {
    const std::string wanted = expiry_attribute_of(request.properties);
    const json::value out = co_await call(request, "DescribeTimeToLive", {{"TableName", table}});
    const json::value* current = out.at("TimeToLiveDescription").as_object().if_contains("AttributeName");
    const std::string now = current ? json::value_to<std::string>(*current) : std::string();
    if (now == wanted) co_return;
    if (!now.empty()) co_await set_expiry(request, table, now, false);
    if (!wanted.empty()) co_await set_expiry(request, table, wanted, true);
  }
  awaitable<> update_history(const aws::ResourceRequest& request, std::string table) {
    constexpr std::string_view kName = "PointInTimeRecoverySpecification";
    const json::value* wanted = request.properties.if_contains(kName);
    const json::value* before = request.old_properties.if_contains(kName);
    if (!wanted && !before) co_return;
    if (wanted && before && *wanted == *before) co_return;
    json::object specification{{"PointInTimeRecoveryEnabled", false}};
    if (wanted && wanted->as_object().contains("PointInTimeRecoveryEnabled")) {
      specification["PointInTimeRecoveryEnabled"] = as_bool(wanted->at("PointInTimeRecoveryEnabled"));
    }
    if (wanted && wanted->as_object().contains("RecoveryPeriodInDays")) {
      specification["RecoveryPeriodInDays"] = as_number(wanted->at("RecoveryPeriodInDays"));
    }
    co_await call(request, "UpdateContinuousBackups",
                  {{"TableName", table}, {kName, std::move(specification)}});
  }

  awaitable<> update_policy(const aws::ResourceRequest& request, json::value description) {
    const json::value* wanted = request.properties.if_contains("ResourcePolicy");
    const json::value& arn = description.at("TableArn");
    if (wanted) {
      co_await call(request, "PutResourcePolicy", {{"ResourceArn", arn}, {"Policy", json::serialize(wanted->at("PolicyDocument"))}});
    } else if (request.old_properties.contains("ResourcePolicy")) {
      co_await call(request, "DeleteResourcePolicy", {{"ResourceArn", arn}});
    }
  }

  awaitable<> set_expiry(const aws::ResourceRequest& request, std::string table, std::string attribute, bool enabled) {
    json::object specification{{"AttributeName", attribute}, {"Enabled", enabled}};
    co_await call(request, "UpdateTimeToLive", {{"TableName", table}, {"TimeToLiveSpecification", std::move(specification)}});
  }

  // One change at a time, as the service demands; a changed index is deleted and made again.
  awaitable<> update_indexes(const aws::ResourceRequest& request, std::string table) {
    const json::value current = co_await describe(request, table);
    const std::map<std::string, json::value> existing = indexes_by_name(current.as_object());
    const std::map<std::string, json::value> before = indexes_by_name(request.old_properties);
    const std::map<std::string, json::value> wanted = indexes_by_name(request.properties);
    const auto changed = [&](const std::string& index_name, const json::value& value) {
      const auto old = before.find(index_name);
      return old != before.end() && (index(old->second)["KeySchema"] != index(value)["KeySchema"] ||
                                     index(old->second)["Projection"] != index(value)["Projection"]);
    };
    for (const auto& [index_name, value] : existing) {
      const auto found = wanted.find(index_name);
      if (found != wanted.end() && !changed(index_name, found->second)) continue;
      co_await change_index(request, table, {{"Delete", json::object{{"IndexName", index_name}}}});
    }
    for (const auto& [index_name, value] : wanted) {
      if (existing.contains(index_name) && !changed(index_name, value)) {
        const auto old = before.find(index_name);
        json::object changes = capacity_changes(value, old == before.end() ? json::value() : old->second, current.as_object().contains("BillingModeSummary"));
        if (changes.empty()) continue;
        changes["IndexName"] = index_name;
        co_await change_index(request, table, {{"Update", std::move(changes)}});
        continue;
      }
      co_await change_index(request, table, {{"Create", index(value)}});
      co_await wait_for_indexes(request, table);
    }
  }
  awaitable<> change_index(const aws::ResourceRequest& request, std::string table, json::object change) {
    json::object input{{"TableName", table}, {"GlobalSecondaryIndexUpdates", json::array{std::move(change)}}};
    if (const json::value* definitions = request.properties.if_contains("AttributeDefinitions")) {
      input["AttributeDefinitions"] = *definitions;
    }
    co_await call(request, "UpdateTable", std::move(input));
  }
  awaitable<> wait_for_indexes(const aws::ResourceRequest& request, std::string table) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (int polls = 0; polls < kIndexPollsMax; ++polls) {
      const json::value description = co_await describe(request, table);
      bool active = true;
      for (const auto& [index_name, value] : indexes_by_name(description.as_object())) {
        active = active && value.at("IndexStatus") == "ACTIVE";
      }
      if (active) co_return;
      timer.expires_after(std::chrono::milliseconds(polls < 100 ? 10 : 1000));
      co_await timer.async_wait(use_awaitable);
    }
    throw aws::ApiError(kInternal, "A global secondary index of table " + table + " did not become ACTIVE");
  }
  awaitable<> update_tags(const aws::ResourceRequest& request, const json::value& description) {
    json::array gone;
    if (const json::value* old = request.old_properties.if_contains("Tags")) {
      for (const json::value& tag : old->as_array()) gone.push_back(tag.at("Key"));
    }
    const json::value& arn = description.at("TableArn");
    if (!gone.empty()) co_await call(request, "UntagResource", {{"ResourceArn", arn}, {"TagKeys", std::move(gone)}});
    co_await call(request, "TagResource", {{"ResourceArn", arn}, {"Tags", tags_of(request)}});
  }

  aws::ApiClient& client_;
};

}  // namespace

void register_resource_types(aws::ResourceTypes& types, aws::ApiClient& client) {
  types.add(std::make_unique<TableResource>(client));
}

}  // namespace parvis::dynamodb
