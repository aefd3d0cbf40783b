// aws/validate.h: the constraints of the model, with AWS's wording.
//
// "1 validation error detected: Value 'x' at 'tableName' failed to satisfy constraint: Member must …"; several are joined
// with "; ", ten at most are named. Source: answers of DynamoDB and IAM as their users record them.
#pragma once

#include <optional>
#include <string>

#include "aws/model.h"

namespace parvis::aws {

// The message of the validation error; nullopt when the value keeps every constraint.
std::optional<std::string> validate(const Shape& shape, const void* value);

}  // namespace parvis::aws
