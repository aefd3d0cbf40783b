// AWS::Serverless::SimpleTable and AWS::Serverless::LayerVersion.
#include <fmt/format.h>

#include "core/ascii.h"

#include "templates/sam/context.h"

namespace parvis::templates::sam {

json::value code_location(const Context& context, const json::value& uri, std::string_view pointer, std::string_view property) {
  const auto refuse = [&](std::string what, std::string hint) { context.fail(pointer, fmt::format("resource {}: '{}' {}", context.current, property, what), hint); };
  if (uri.is_object()) {
    const json::object& from = uri.as_object();
    check_members(context, from, std::string(pointer), property, {"Bucket", "Key", "Version", "StorageMode"});
    if (!truthy(from.if_contains("Bucket")) || !truthy(from.if_contains("Key"))) refuse("has no Bucket or no Key", "write both");
    json::object out{{"S3Bucket", from.at("Bucket")}, {"S3Key", from.at("Key")}};
    if (from.contains("Version")) out["S3ObjectVersion"] = from.at("Version");
    if (from.contains("StorageMode")) out["S3ObjectStorageMode"] = from.at("StorageMode");
    return out;
  }
  if (!uri.is_string()) refuse("is neither text nor a mapping", "write a path, s3://bucket/key or {Bucket, Key}");
  std::string_view text = uri.as_string();
  if (!text.starts_with("s3://")) {
    if (context.options.local_code) return uri;
    refuse("is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter", "package the template first");
  }
  text.remove_prefix(5);
  std::string_view query;
  if (auto mark = text.find('?'); mark != std::string_view::npos) { query = text.substr(mark + 1); text = text.substr(0, mark); }
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0) refuse("is not a valid S3 Uri", "write s3://bucket/key");
  json::object out{{"S3Bucket", text.substr(0, slash)}, {"S3Key", text.substr(text.find_first_not_of('/', slash) == std::string_view::npos ? text.size() : text.find_first_not_of('/', slash))}};
  if (query.starts_with("versionId=") && query.find('&') == std::string_view::npos) out["S3ObjectVersion"] = query.substr(10);
  return out;
}

void transform_simple_table(Context& context, const std::string& id) {
  check_properties(context, id, {"PointInTimeRecoverySpecification", "PrimaryKey", "ProvisionedThroughput", "TableName", "Tags", "SSESpecification"});
  const json::object source = *context.resource(id);
  json::object& properties = context.properties(id);
  std::string type = "S";
  json::value name = "id";
  if (truthy(properties.if_contains("PrimaryKey"))) {
    const std::string at = context.pointer(id, "PrimaryKey");
    if (!properties["PrimaryKey"].is_object()) context.fail(at, fmt::format("resource {}: PrimaryKey is not a mapping", id), "write {Name, Type}");
    const json::object& key = properties["PrimaryKey"].as_object();
    check_members(context, key, at, "PrimaryKey", {"Name", "Type"});
    if (!key.contains("Name") || !key.contains("Type")) context.fail(at, fmt::format("resource {}: PrimaryKey needs Name and Type", id), "write both");
    static const std::map<std::string, std::string> kTypes = {{"String", "S"}, {"Number", "N"}, {"Binary", "B"}};
    auto it = kTypes.find(scalar_text(key.at("Type")));
    if (it == kTypes.end()) context.fail(at + "/Type", fmt::format("resource {}: PrimaryKey.Type '{}' is not valid", id, scalar_text(key.at("Type"))), "use String, Number or Binary");
    type = it->second;
    name = key.at("Name");
  }
  json::object out{{"AttributeDefinitions", json::array{json::object{{"AttributeName", name}, {"AttributeType", type}}}},
                   {"KeySchema", json::array{json::object{{"AttributeName", name}, {"KeyType", "HASH"}}}}};
  for (std::string_view kept : {"PointInTimeRecoverySpecification", "ProvisionedThroughput", "SSESpecification", "TableName"}) {
    if (truthy(properties.if_contains(kept))) out[kept] = properties[kept];
  }
  if (!out.contains("ProvisionedThroughput")) out["BillingMode"] = "PAY_PER_REQUEST";
  if (const json::value* tags = properties.if_contains("Tags"); truthy(tags) && tags->is_object()) out["Tags"] = tag_list(tags->as_object());
  json::object attributes = all_attributes(source);
  if (source.contains("DependsOn")) attributes["DependsOn"] = source.at("DependsOn");
  context.add(id, "AWS::DynamoDB::Table", std::move(out), attributes);
}

void transform_layer(Context& context, const std::string& id) {
  check_properties(context, id, {"LayerName", "Description", "PublishLambdaVersion", "ContentUri", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo", "RetentionPolicy"});
  const json::object source = *context.resource(id);
  json::object properties = context.properties(id);
  for (std::string_view name : {"LayerName", "LicenseInfo", "Description", "RetentionPolicy"}) {
    if (properties.contains(name)) properties[name] = context.resolve(properties[name]);
  }
  if (!properties.contains("ContentUri")) context.fail(context.pointer(id), fmt::format("resource {}: ContentUri is required", id), "name the layer's folder or archive");
  json::object attributes = passed_attributes(source);
  if (!attributes.contains("DeletionPolicy")) attributes["DeletionPolicy"] = "Retain";
  if (const json::value* policy = properties.if_contains("RetentionPolicy"); policy != nullptr && !policy->is_null()) {
    const std::string lower = to_lower(scalar_text(*policy));
    if (lower != "retain" && lower != "delete") context.fail(context.pointer(id, "RetentionPolicy"), fmt::format("resource {}: RetentionPolicy is neither Retain nor Delete", id), "use one of the two");
    attributes["DeletionPolicy"] = lower == "retain" ? "Retain" : "Delete";
  }
  // The new id is a digest of the resource as it stands, without what does not change the layer.
  json::object hashed{{"Type", kLayerVersion}};
  if (source.contains("DependsOn")) hashed["DependsOn"] = source.at("DependsOn");
  for (std::string_view name : {"UpdatePolicy", "Condition"}) if (source.contains(name)) hashed[name] = source.at(name);
  json::object present;
  for (const auto& [key, value] : properties) if (!value.is_null()) present.emplace(key, value);
  hashed["Properties"] = std::move(present);
  const std::string new_id = hashed_id(id, py_dumps(json::object{{id, std::move(hashed)}}));

  json::object out{{"LayerName", truthy(properties.if_contains("LayerName")) ? properties["LayerName"] : json::value(id)},
                   {"Content", code_location(context, properties["ContentUri"], context.pointer(id, "ContentUri"), "ContentUri")}};
  for (std::string_view kept : {"Description", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo"}) {
    if (const json::value* value = properties.if_contains(kept); value != nullptr && !value->is_null()) out[kept] = *value;
  }
  if (source.contains("DependsOn")) attributes["DependsOn"] = source.at("DependsOn");
  context.changed[id] = new_id;
  context.add(new_id, "AWS::Lambda::LayerVersion", std::move(out), attributes);
}

}  // namespace parvis::templates::sam
