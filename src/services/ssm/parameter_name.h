// ssm/parameter_name.h: names of parameters, and what calls add to them: ARNs, versions and labels. Pure functions.
//
// Limits: 1,011 characters with the ARN's prefix, 15 levels; letters, digits and .-_/ only; neither "aws" nor "ssm" in front.
// Sources: Systems Manager User Guide, "About requirements and constraints for parameter names"; API Reference, PutParameter;
// texts as users of the service report them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aws/api_call.h"

namespace parvis::ssm {

// Throws ValidationException, AccessDeniedException, HierarchyLevelLimitExceededException: a name that cannot be given.
void check_new_name(const aws::Scope& scope, const std::string& name);
// Throws HierarchyLevelLimitExceededException or ValidationException: a path of GetParametersByPath.
void check_path(const std::string& path);

std::string parameter_arn(const aws::Scope& scope, const std::string& name);

// "name", "name:3", "name:label", or the same after an ARN's "parameter". A name without '/' in its ARN may be stored with or
// without a leading one.
struct Reference {
  std::string name, selector;              // selector without the colon
  bool from_arn = false;
  std::optional<std::uint64_t> version() const;  // of a selector of digits
};
// Throws ValidationException: an ARN of something else, of another account or Region, or no name at all.
Reference parse_reference(const aws::Scope& scope, std::string_view text);

// A label's rules; false: it goes into InvalidLabels.
bool valid_label(std::string_view label);

}  // namespace parvis::ssm
