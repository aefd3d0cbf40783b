#include "services/dynamodb/request.h"

#include <algorithm>

#include "services/dynamodb/errors.h"
#include "services/dynamodb/legacy_parameters.h"

namespace parvis::dynamodb {

std::string table_name(const aws::Scope& scope, const std::optional<std::string>& name_or_arn) {
  const std::string& text = name_or_arn.value();
  std::string name = text;
  if (text.starts_with("arn:")) {
    const std::string prefix = "arn:aws:dynamodb:" + scope.region + ":" + scope.account + ":table/";
    // Differs from AWS: tables of other accounts cannot be shared yet, so only an ARN of the caller's own scope names one.
    if (!text.starts_with(prefix)) throw_table_not_found();
    name = text.substr(prefix.size(), text.find('/', prefix.size()) - prefix.size());
  }
  const bool valid = name.size() >= 3 && name.size() <= 255 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
  if (!valid) {
    throw_validation("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain "
                     "only the characters a-z, A-Z, 0-9, '_', '-', and '.'");
  }
  return name;
}

void check_arn(const std::string& arn) {
  if (!arn.starts_with("arn:")) throw_validation("One or more parameter values were invalid: ARNs must start with 'arn:': " + arn);
}

void add_usage(Usage& total, const ItemWriteResult& result, double factor) {
  total.table += factor * write_units(result.base_size_bytes);
  for (const auto& [name, units] : result.index_units) total.indexes[name] += factor * units;
}

std::optional<model::ConsumedCapacity> consumed(const std::optional<std::string>& wanted, const Table& table,
                                                const Usage& usage) {
  if (!wanted || *wanted == "NONE") return std::nullopt;
  const auto with_kind = [&](auto& capacity, double units) {
    capacity.capacity_units = units;
    if (usage.is_transaction && usage.is_read) capacity.read_capacity_units = units;
    if (usage.is_transaction && !usage.is_read) capacity.write_capacity_units = units;
  };
  double total = usage.table;
  for (const auto& [name, units] : usage.indexes) total += units;
  model::ConsumedCapacity out;
  out.table_name = table->name;
  with_kind(out, total);
  if (*wanted != "INDEXES") return out;
  with_kind(out.table.emplace(), usage.table);
  for (const auto& [name, units] : usage.indexes) {
    const IndexRecord* index = table->index(name);
    auto& group = index && !index->global ? out.local_secondary_indexes : out.global_secondary_indexes;
    if (!group) group.emplace();
    with_kind((*group)[name], units);
  }
  return out;
}

std::optional<std::vector<model::ConsumedCapacity>> consumed_all(const std::optional<std::string>& wanted,
                                                                 const TableUsages& usages) {
  if (!wanted || *wanted == "NONE") return std::nullopt;
  std::vector<model::ConsumedCapacity> out;
  for (const auto& [name, each] : usages) out.push_back(*consumed(wanted, each.table, each.usage));
  return out;
}

std::optional<Item> updated_attributes(const std::string& wanted, const std::vector<Path>& paths, ItemWriteResult& result) {
  if (wanted == "ALL_OLD") return std::move(result.old_item);
  if (wanted == "ALL_NEW") return std::move(result.new_item);
  if (wanted == "NONE") return std::nullopt;
  const std::optional<Item>& source = wanted == "UPDATED_OLD" ? result.old_item : result.new_item;
  if (!source) return std::nullopt;
  Item selected = project(*source, paths);
  if (selected.empty()) return std::nullopt;
  return selected;
}

std::optional<Projection> projection_of(const std::optional<std::string>& expression,
                                        const std::optional<std::vector<std::string>>& attributes_to_get,
                                        Placeholders& placeholders) {
  check_not_mixed({{"AttributesToGet", attributes_to_get.has_value()}}, {{"ProjectionExpression", expression.has_value()}});
  if (expression) return parse_projection(*expression, placeholders);
  if (!attributes_to_get) return std::nullopt;
  Projection paths;
  for (const std::string& name : *attributes_to_get) {
    Path path;
    path.steps.emplace_back(name);
    if (std::ranges::find(paths, path) != paths.end()) {
      throw_validation("One or more parameter values were invalid: Duplicate value in attribute name: " + name);
    }
    paths.push_back(std::move(path));
  }
  return paths;
}

awaitable<Table> find_named(Catalog& catalog, aws::Scope scope, std::string name) {
  const std::shared_ptr<storage::Snapshot> snapshot = catalog.store().snapshot();
  std::optional<Table> table = co_await catalog.find_if(snapshot, std::move(scope), name);
  if (!table) throw aws::ApiError(kResourceNotFound, "Requested resource not found: Table: " + name + " not found");
  co_return std::move(*table);
}

}  // namespace parvis::dynamodb
