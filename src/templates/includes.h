// templates/includes.h: files that a template names: AWS::Include, and DefinitionUri of SAM's APIs. They are put in their place before
// anything else looks at the template.
//
// {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": …}}} becomes what the file holds; beside other members a file's
// members join them. DefinitionUri becomes DefinitionBody. What stands in a file is placed, in messages, where the template names it.
// A file may not include another one, as on AWS. Limits: those of parse_document() per file, kIncludedFilesMax files.
// Source: CloudFormation User Guide, "AWS::Include transform"; SAM Developer Guide, "AWS::Serverless::Api", DefinitionUri.
// Differs from AWS: a file at DefinitionUri is treated as DefinitionBody, so that a processed template shows it inline.
#pragma once

#include <expected>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "templates/document.h"

namespace parvis::templates {

inline constexpr std::size_t kIncludedFilesMax = 100;

// As the template names them: "api.yaml", "s3://bucket/key"; {Bucket, Key, Version} as "s3://bucket/key?versionId=version".
std::set<std::string> included_files(const Document& document);

// `read` gives a file's text, or why it cannot be read.
using ReadIncluded = std::function<std::expected<std::string, std::string>(const std::string& location)>;
std::vector<Diagnostic> include_files(Document& document, const ReadIncluded& read);

// Reads below the template's folder; "s3://…" cannot be read there. Blocking.
ReadIncluded local_reader(const Document& document);

}  // namespace parvis::templates
