// ssm/errors.h: errors of Parameter Store that the model does not list.
#pragma once

#include "aws/api_call.h"
#include "models/ssm.h"

namespace parvis::ssm {

namespace model = aws::model::ssm;
namespace errors = aws::model::ssm::errors;

inline constexpr aws::ErrorSpec kValidation{"ValidationException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kAccessDenied{"AccessDeniedException", 400, aws::Fault::kClient};

}  // namespace parvis::ssm
