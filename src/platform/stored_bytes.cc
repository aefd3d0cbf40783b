#include "platform/stored_bytes.h"

namespace parvis::platform {
namespace {
namespace json = boost::json;
using Sizes = std::map<UsageKey, StoredBytes>;

std::string text(const json::value& value, std::string_view name) {
  const auto* found = value.is_object() ? value.get_object().if_contains(name) : nullptr;
  return found && found->is_string() ? std::string(found->get_string()) : "";
}

std::uint64_t number(const json::value& value, std::string_view name) {
  const auto* found = value.is_object() ? value.get_object().if_contains(name) : nullptr;
  return found && found->is_number() ? found->to_number<std::uint64_t>() : 0;
}

const json::array& list(const json::value& value, std::string_view name) {
  static const json::array kNone;
  const auto* found = value.is_object() ? value.get_object().if_contains(name) : nullptr;
  return found && found->is_array() ? found->get_array() : kNone;
}

struct Asker {
  aws::Pipeline& pipeline;
  const aws::Scope& scope;
  Sizes& out;

  awaitable<json::value> ask(std::string_view service, std::string_view operation, json::object input) {
    return pipeline.call_json(pipeline.make_context(scope, std::string(kUsageOrigin)), service, operation, std::move(input));
  }
  StoredBytes& of(std::string_view service, const std::string& resource) {
    return out[{scope.account, scope.region, std::string(service), resource}];
  }

  awaitable<> tables() {
    json::object page;
    for (;;) {
      const json::value tables = co_await ask("dynamodb", "ListTables", page);
      for (const auto& name : list(tables, "TableNames")) {
        const json::value described = co_await ask("dynamodb", "DescribeTable", {{"TableName", name}});
        const json::value& table = described.at("Table");
        StoredBytes& size = of("dynamodb", std::string(name.as_string()));
        size.bytes = number(table, "TableSizeBytes");
        size.items = number(table, "ItemCount");
        for (const char* indexes : {"GlobalSecondaryIndexes", "LocalSecondaryIndexes"})
          for (const auto& index : list(table, indexes)) size.bytes += number(index, "IndexSizeBytes");
      }
      if (text(tables, "LastEvaluatedTableName").empty()) co_return;
      page["ExclusiveStartTableName"] = text(tables, "LastEvaluatedTableName");
    }
  }

  awaitable<> functions() {
    json::object page;
    for (;;) {
      const json::value found = co_await ask("lambda", "ListFunctions", page);
      for (const auto& function : list(found, "Functions")) of("lambda", text(function, "FunctionName")).bytes = number(function, "CodeSize");
      if (text(found, "NextMarker").empty()) co_return;
      page["Marker"] = text(found, "NextMarker");
    }
  }

  awaitable<> bucket(std::string name) {
    json::object page{{"Bucket", name}};
    StoredBytes& size = of("s3", name);
    for (;;) {
      const json::value found = co_await ask("s3", "ListObjectVersions", page);
      for (const auto& version : list(found, "Versions")) {
        size.bytes += number(version, "Size");
        ++size.items;
      }
      if (text(found, "NextKeyMarker").empty()) co_return;
      page["KeyMarker"] = text(found, "NextKeyMarker");
      if (!text(found, "NextVersionIdMarker").empty()) page["VersionIdMarker"] = text(found, "NextVersionIdMarker");
    }
  }

  awaitable<> buckets() {
    const json::value found = co_await ask("s3", "ListBuckets", {});
    for (const auto& one : list(found, "Buckets")) co_await bucket(text(one, "Name"));
  }
};

}  // namespace

awaitable<std::map<UsageKey, StoredBytes>> stored_bytes(storage::Store& store, aws::Pipeline& pipeline, logs::LogStore& logs) {
  Sizes out;
  for (const aws::Scope& scope : co_await scopes_of(store)) {
    Asker asker{pipeline, scope, out};
    co_await asker.tables();
    co_await asker.functions();
    co_await asker.buckets();
    for (const auto& [group, bytes] : co_await logs.stored_bytes(scope)) asker.of("logs", group).bytes = bytes;
  }
  co_return out;
}

}  // namespace parvis::platform
