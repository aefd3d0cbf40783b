// lambda/configuration.h: between the model's shapes and the function's record: what is taken over, what is refused by name.
#pragma once

#include <string>
#include <string_view>

#include "models/lambda.h"
#include "services/lambda/errors.h"
#include "services/lambda/function.h"

namespace parvis::lambda {

inline constexpr std::string_view kNoVersions =
    "Published versions are not available on this platform yet: every call runs $LATEST. Leave out Publish.";

// Members that would need what is not here. Throws InvalidParameterValueException that names the member.
// AWS's own defaults (an empty VpcConfig, SnapStart None, …) pass.
void refuse_unsupported(const aws::model::lambda::CreateFunctionInput& in);
void refuse_unsupported(const aws::model::lambda::UpdateFunctionConfigurationInput& in);
void refuse_code_options(const aws::model::lambda::FunctionCode& code);
void refuse_code_options(const aws::model::lambda::UpdateFunctionCodeInput& in);
// Takes over the members that are there.
void apply_configuration(FunctionRecord& record, const aws::model::lambda::CreateFunctionInput& in);
void apply_configuration(FunctionRecord& record, const aws::model::lambda::UpdateFunctionConfigurationInput& in);

aws::model::lambda::FunctionConfiguration describe(const FunctionRecord& record, const std::string& qualifier);

// The statement as AddPermission writes it. Source: Developer Guide, "Using resource-based policies".
Statement make_statement(const FunctionRef& ref, const aws::model::lambda::AddPermissionInput& in);
// Throws ResourceConflictException (the id is taken), PolicyLengthExceededException (over 20 KB).
void add_statement(FunctionRecord& record, Statement statement);
void check_policy_revision(const FunctionRecord& record, const std::optional<std::string>& revision_id);

}  // namespace parvis::lambda
