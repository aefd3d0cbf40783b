#include "services/ssm/parameter_filter.h"

#include <algorithm>

#include <fmt/format.h>

#include "services/ssm/errors.h"
#include "services/ssm/parameter_name.h"

namespace parvis::ssm {
namespace {

bool is_tag(std::string_view key) { return key.starts_with("tag:"); }

void check_option(const ParameterFilter& filter) {
  std::vector<std::string_view> options = {"Equals"};
  if (filter.key == "Name") options = {"Equals", "BeginsWith", "Contains"};
  else if (filter.key == "Path") options = {"Recursive", "OneLevel"};
  else if (filter.key == "KeyId" || filter.key == "DataType") options = {"Equals", "BeginsWith"};
  if (std::ranges::find(options, filter.option) == options.end()) {
    throw aws::ApiError(errors::kInvalidFilterOption, fmt::format("The following filter option is not valid: {}. Valid options for {}: {}.", filter.option,
        filter.key, fmt::join(options, ", ")));
  }
}

bool any_value(const ParameterFilter& filter, std::string_view of) {
  return std::ranges::any_of(filter.values, [&](std::string_view value) {
    if (filter.option == "BeginsWith") return of.starts_with(value);
    return filter.option == "Contains" ? of.find(value) != std::string_view::npos : of == value;
  });
}

}  // namespace

bool ParameterFilter::matches(const ParameterRecord& record) const {
  if (is_tag(key)) {
    const auto tag = record.tags.find(key.substr(4));
    return tag != record.tags.end() && (values.empty() || any_value(*this, tag->second));
  }
  if (key == "Name") {  // a leading slash may be left out
    return any_value(*this, record.name) || (record.name.starts_with('/') && any_value(*this, std::string_view(record.name).substr(1)));
  }
  if (key == "Type") return any_value(*this, record.latest.type);
  if (key == "KeyId") return any_value(*this, record.latest.key_id);
  if (key == "Tier") return any_value(*this, record.latest.tier);
  if (key == "DataType") return any_value(*this, record.latest.data_type);
  if (key == "Label") return std::ranges::any_of(values, [&](const auto& value) { return record.labels.contains(value); });
  return std::ranges::any_of(values, [&](const auto& path) { return lies_under(record.name, path, option == "Recursive"); });
}

std::vector<ParameterFilter> make_filters(const std::optional<std::vector<aws::model::ssm::ParameterStringFilter>>& given, bool by_path) {
  std::vector<ParameterFilter> out;
  if (!given) return out;
  for (const auto& filter : *given) {
    ParameterFilter made{.key = filter.key.value_or(""), .option = filter.option.value_or(""), .values = filter.values.value_or(std::vector<std::string>{})};
    if (by_path && made.key != "Type" && made.key != "KeyId" && made.key != "Label") {
      throw aws::ApiError(errors::kInvalidFilterKey, fmt::format("The following filter key is not valid: {}. Valid filter keys include: [Type, KeyId, Label].", made.key));
    }
    if (made.option.empty()) made.option = made.key == "Path" ? "OneLevel" : "Equals";
    check_option(made);
    if (made.values.empty() && !is_tag(made.key)) {
      throw aws::ApiError(errors::kInvalidFilterValue, fmt::format("The following filter values are missing : null for filter key {}.", made.key));
    }
    if (made.key == "Path") for (const std::string& path : made.values) check_path(path);
    if (std::ranges::any_of(out, [&](const ParameterFilter& other) { return other.key == made.key; })) {
      throw aws::ApiError(errors::kInvalidFilterKey, fmt::format("The following filter is duplicated in the request: {}. A request can contain only one occurrence of a specific filter.", made.key));
    }
    out.push_back(std::move(made));
  }
  return out;
}

bool lies_under(std::string_view name, std::string_view path, bool recursive) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (!name.starts_with('/')) return path.empty();
  if (!name.starts_with(path) || name.size() <= path.size() || name[path.size()] != '/') return false;
  return recursive || name.find('/', path.size() + 1) == std::string_view::npos;
}

}  // namespace parvis::ssm
