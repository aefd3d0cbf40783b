// apigateway/errors.h: the errors of the management side. Source: botocore's models `apigateway` and `apigatewayv2`.
#pragma once

#include "aws/api_call.h"

namespace parvis::apigateway {

inline constexpr aws::ErrorSpec kBadRequest{"BadRequestException", 400, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kNotFound{"NotFoundException", 404, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kConflict{"ConflictException", 409, aws::Fault::kClient};
inline constexpr aws::ErrorSpec kUnavailable{"ServiceUnavailableException", 503, aws::Fault::kServer};
inline constexpr aws::ErrorSpec kInternal{"InternalFailure", 500, aws::Fault::kServer};

}  // namespace parvis::apigateway
