// templates/sam/transform.h: the transform AWS::Serverless-2016-10-31, with the logical ids and hashes of AWS's translator.
//
// Supported: AWS::Serverless::{Function, Api, HttpApi, SimpleTable, LayerVersion}, Globals, the events Api, HttpApi and Schedule,
// policy templates. What is not supported is an error that names the resource, the property and its line. Pure; any thread.
// Source: AWS SAM Developer Guide; aws-sam-translator 1.115.0 (the oracle of the tests).
#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "templates/document.h"

namespace parvis::templates::sam {

struct TransformOptions {
  std::string region = "us-east-1";
  std::map<std::string, json::value> parameters = {};  // values given by the caller; defaults come from the template
  // CodeUri and ContentUri may name a local folder or file; Code or Content is then that path as text, as `aws cloudformation
  // package` reads it. Otherwise only s3://bucket/key and {Bucket, Key} are accepted, as in AWS.
  bool local_code = false;
};

struct TransformResult {
  Document document;  // intrinsic functions kept; a generated resource stands where its SAM resource stands
  std::map<std::string, std::string> origins;  // generated logical id -> logical id in the source
};

bool uses_sam(const Document& document);  // Transform names AWS::Serverless-2016-10-31

// A document that does not use SAM comes back as it is. All errors are returned, in template order.
std::expected<TransformResult, std::vector<Diagnostic>> transform(const Document& document, const TransformOptions& options);

}  // namespace parvis::templates::sam
