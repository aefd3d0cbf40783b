// templates/loops.h: Fn::ForEach of the transform AWS::LanguageExtensions: written out before anything else looks at the template.
//
// "Fn::ForEach::Name": [identifier, collection, {key: body}] in Resources, Conditions, Outputs and below a resource's Properties. ${identifier} in keys
// and texts (also &{identifier}, which keeps letters and digits alone) and {Ref: identifier} become each value of the collection, which is a list of
// texts or a Ref to a parameter that is one. Pure. Limits: kLoopDepthMax loops inside each other, kLoopCopiesMax copies in all.
// Source: CloudFormation Template Reference, Fn::ForEach.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "templates/document.h"

namespace parvis::templates {

inline constexpr std::size_t kLoopDepthMax = 5, kLoopCopiesMax = 2000;

// A document that does not name the transform comes back as it is.
std::expected<Document, std::vector<Diagnostic>> expand_loops(Document document, const std::map<std::string, json::value>& parameters);

}  // namespace parvis::templates
