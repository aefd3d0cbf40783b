// lambda/configuration.h: between the model's shapes and the function's record: what is taken over, what is refused by name.
#pragma once

#include <string>
#include <string_view>

#include "models/lambda.h"
#include "services/lambda/errors.h"
#include "services/lambda/function.h"

namespace parvis::lambda {

// Members that would need what is not here. Throws InvalidParameterValueException that names the member.
// AWS's own defaults (an empty VpcConfig, SnapStart None, …) pass.
void refuse_unsupported(const aws::model::lambda::CreateFunctionInput& in);
void refuse_unsupported(const aws::model::lambda::UpdateFunctionConfigurationInput& in);
void refuse_code_options(const aws::model::lambda::FunctionCode& code);
void refuse_code_options(const aws::model::lambda::UpdateFunctionCodeInput& in);
// Takes over the members that are there.
void apply_configuration(FunctionRecord& record, const aws::model::lambda::CreateFunctionInput& in);
void apply_configuration(FunctionRecord& record, const aws::model::lambda::UpdateFunctionConfigurationInput& in);

// `qualifier` ends the ARN; empty: the ARN has none.
aws::model::lambda::FunctionConfiguration describe(const FunctionRecord& record, const std::string& qualifier);
// As lists have it: without states and the version of the runtime. Source: Lambda API Reference, ListFunctions.
aws::model::lambda::FunctionConfiguration describe_listed(const FunctionRecord& record, const std::string& qualifier);

// Stands for this platform's version of a runtime, of which there is one.
std::string runtime_version_arn(const FunctionRecord& record);

}  // namespace parvis::lambda
