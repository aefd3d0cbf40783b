// templates/property_check.h: a resource's properties against the rules of its type.
#pragma once

#include <string>
#include <vector>

#include "aws/resource_type.h"
#include "templates/document.h"
#include "templates/intrinsics.h"

namespace parvis::templates {

// Names every property that no rule lists, that is refused, or that is required and absent. `resolved`: no functions remain.
void check_rules(const Document& document, const std::string& logical_id, const aws::ResourceType& type, const json::value& properties,
                 std::vector<Diagnostic>& errors, std::vector<Diagnostic>& warnings);

// The types, attributes and properties of a transformed template's resources, as far as their conditions hold.
std::vector<Diagnostic> check_resources(const aws::ResourceTypes& types, const Document& document, const Evaluator& evaluator,
                                        std::vector<Diagnostic>& warnings);

// Whether going from `old` to `now` needs a new resource.
bool needs_replacement(const aws::ResourceType& type, const json::object& old, const json::object& now);

}  // namespace parvis::templates
