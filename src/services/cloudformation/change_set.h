// cloudformation/change_set.h: stored change sets.
//
// A record: id, name, stack_id, stack_name, created (ms), status, reason, execution, description, on_failure, parameters {name: shown
// value}, changes [{action, logical, physical, type, replacement, properties [{name, replacement}]}] and details, which become the
// stack's own when it is executed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "aws/api_call.h"
#include "storage/store.h"
#include "templates/vault.h"

namespace parvis::cloudformation {

namespace json = boost::json;

class ChangeSets {
 public:
  explicit ChangeSets(templates::Vault vault) : store_(vault.store), vault_(vault) {}
  // False: one of this name exists (with `fresh`). Throws std::runtime_error when the store does not take it.
  awaitable<bool> put(aws::Scope scope, json::object record, bool fresh);
  awaitable<> erase(aws::Scope scope, std::string stack_id, std::string name);
  awaitable<std::vector<json::object>> list(aws::Scope scope, std::string stack_id);  // "": of all stacks

 private:
  storage::Store& store_;
  templates::Vault vault_;  // they hold parameters
};

}  // namespace parvis::cloudformation
