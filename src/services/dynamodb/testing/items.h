// dynamodb/testing/items.h: values and writes for tests.
#pragma once

#include <cstdint>
#include <utility>

#include "services/dynamodb/item_store.h"

namespace parvis::dynamodb {

inline AttributeValue number(std::int64_t n) { return AttributeValue::number(Number::from_int(n)); }

// To the table "orders". `item`: the key, unless it is a put.
inline ItemWrite write_of(ItemWrite::Kind kind, Item item) {
  ItemWrite write;
  write.kind = kind;
  write.table_name = "orders";
  write.item = std::move(item);
  return write;
}

}  // namespace parvis::dynamodb
