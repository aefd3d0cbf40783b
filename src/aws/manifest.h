// aws/manifest.h: what a service's manifest.json says about the members of its inputs, and the check of one input.
//
// No input member may be dropped in silence: each is applied, neutral, accepted with a warning or refused by name. tools/modelgen
// reads the manifest beside operations.json, checks that it speaks of every member, and compiles in the rules that need an
// action at run time. The rules of paths and values: tools/modelgen/README.md.
#pragma once

#include <string>
#include <vector>

#include "aws/model.h"

namespace parvis::aws {

// Throws ApiError, the service's own validation error, when `input` has a member or a value that is refused; otherwise appends
// one sentence per member that is accepted without its effect. `input` has passed validate(). Cost: nothing for an operation
// without rules, one walk of the members on its path for each rule.
void apply_manifest(const OperationModel& op, const void* input, std::vector<std::string>& warnings);

}  // namespace parvis::aws
