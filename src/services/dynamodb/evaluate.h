// dynamodb/evaluate.h: expressions at work on items. Pure functions.
#pragma once

#include <optional>

#include "services/dynamodb/expression.h"

namespace parvis::dynamodb {

// The value at the path; nullptr when there is none.
const AttributeValue* find(const Item& item, const Path& path);
bool evaluate(const Condition& condition, const Item& item);
// The item after the update: every right side reads the item as it was. Throws ValidationException.
Item apply_update(const Update& update, const Item& item);
// What the paths select, in its nesting; list elements close up in their order.
Item project(const Item& item, const std::vector<Path>& paths);

}  // namespace parvis::dynamodb
