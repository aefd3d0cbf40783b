// ssm/parameter_filter.h: the filters of DescribeParameters and GetParametersByPath. Pure.
// Source: Systems Manager API Reference, ParameterStringFilter.
#pragma once

#include <string>
#include <vector>

#include "models/ssm.h"
#include "services/ssm/parameter_store.h"

namespace parvis::ssm {

struct ParameterFilter {
  std::string key, option;
  std::vector<std::string> values;
  bool matches(const ParameterRecord& record) const;
};

// Throws InvalidFilterKey, InvalidFilterOption, InvalidFilterValue. `by_path`: the few that GetParametersByPath takes.
std::vector<ParameterFilter> make_filters(const std::optional<std::vector<aws::model::ssm::ParameterStringFilter>>& given, bool by_path);

// Whether `name` lies under the path: directly, or anywhere with `recursive`. Names without a slash lie under "/".
bool lies_under(std::string_view name, std::string_view path, bool recursive);

}  // namespace parvis::ssm
