// templates/structure_check.h: what a template's text must be like before any value is known.
//
// Sections, transforms, mappings, members of outputs, attributes of resources, and functions by name and place. A template that
// passes holds nothing that a deployment would silently leave out. Runs on the source, so that every message names the user's own
// line; SAM's types are among it. Pure; any thread.
// Source: CloudFormation User Guide, "Template anatomy", "Resource attribute reference", "Intrinsic function reference". Sentences that
// begin with "Template error:" or "Template format error:" and that of unknown sections are CloudFormation's own.
#pragma once

#include <string_view>
#include <vector>

#include "templates/document.h"

namespace parvis::templates {

bool uses_language_extensions(const json::object& root);  // Transform names AWS::LanguageExtensions

bool known_attribute(std::string_view name);  // of a resource: Type, Properties, DependsOn, …

// `document` after loops are written out, before the SAM transform.
std::vector<Diagnostic> check_structure(const Document& document);

}  // namespace parvis::templates
