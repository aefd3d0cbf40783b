// dynamodb/ion_text.h: items as Amazon Ion text, for exports and imports.
//
// S is a string, N a decimal, B a blob, BOOL a bool, NULL a null, L a list, M a struct; a set is a list that is annotated with
// $dynamodb_SS, $dynamodb_NS or $dynamodb_BS. Of Ion only what means such a value is read: no binary Ion, symbols, floats,
// timestamps, clobs, s-expressions, typed nulls, or integers in another base than ten.
// Sources: Developer Guide, "Amazon S3 import formats for DynamoDB" and "DynamoDB table export output format"; the Ion 1.0
// specification (text encoding).
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "services/dynamodb/attribute_value.h"

namespace parvis::dynamodb {

// {name:value,…}
void append_ion(const Item& item, std::string& out);
// $ion_1_0 {Item:{…}}. The error says what is wrong.
std::expected<Item, std::string> item_of_ion(std::string_view line);

}  // namespace parvis::dynamodb
