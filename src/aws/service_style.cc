#include "aws/service_style.h"

#include <algorithm>
#include <array>

namespace parvis::aws {
namespace {

constexpr ErrorSpec kValidationException{"ValidationException", 400, Fault::kClient};
constexpr ErrorSpec kValidationError{"ValidationError", 400, Fault::kClient};

// As paritysuite's dynamodb-conformance recorded the service in October 2026 (tests/tier3/error-messages/valueLayers.test.ts).
constexpr std::array<std::string_view, 3> kDynamoDbEnveloped{"PutItem", "UpdateItem", "DeleteItem"};
constexpr std::array<std::string_view, 4> kDynamoDbOlder{"BatchWriteItem", "Scan", "TransactGetItems", "TransactWriteItems"};

constexpr std::array kStyles{
    // DynamoDB's answers as its users record them (dynalite's tests compare with the service).
    ServiceStyle{.service = "dynamodb", .validation = kValidationException,
                 .type_prefix = "com.amazonaws.dynamodb.v20120810#", .crc32 = true, .json_posts_only = true,
                 .enveloped_values = kDynamoDbEnveloped, .older_values = kDynamoDbOlder},
    ServiceStyle{.service = "dynamodbstreams", .validation = kValidationException,
                 .type_prefix = "com.amazonaws.dynamodb.v20120810#", .json_posts_only = true},
    // Lambda API Reference, Invoke: the payload is JSON. Error bodies carry the member Type of its exception shapes.
    ServiceStyle{.service = "lambda", .validation = kValidationException, .lambda_type = true,
                 .blob_content_type = "application/json"},
    // API Gateway API Reference, common errors: BadRequestException for input that is not as modelled.
    ServiceStyle{.service = "apigateway", .validation = {"BadRequestException", 400, Fault::kClient},
                 .blob_content_type = "application/json"},
    ServiceStyle{.service = "apigatewayv2", .validation = {"BadRequestException", 400, Fault::kClient},
                 .blob_content_type = "application/json"},
    // CloudWatch Logs API Reference: InvalidParameterException for parameters out of their constraints.
    ServiceStyle{.service = "logs", .validation = {"InvalidParameterException", 400, Fault::kClient}},
    // S3 API Reference, error codes.
    ServiceStyle{.service = "s3", .validation = {"InvalidArgument", 400, Fault::kClient}},
};
constexpr ServiceStyle kPlain{.service = "", .validation = kValidationException};
constexpr ServiceStyle kQueryStyle{.service = "", .validation = kValidationError};  // IAM, STS, CloudFormation

// Errors that AWS's framework raises before a service of the json protocol sees the call.
constexpr std::array<std::string_view, 9> kFrameworkErrors{
    "SerializationException", "UnknownOperationException", "AccessDeniedException", "UnrecognizedClientException",
    "InvalidSignatureException", "MissingAuthenticationTokenException", "IncompleteSignatureException",
    "InternalFailure", "ExpiredTokenException"};

}  // namespace

const ServiceStyle& style_of(std::string_view service, Protocol protocol) {
  for (const ServiceStyle& style : kStyles) if (style.service == service) return style;
  return protocol == Protocol::kQuery ? kQueryStyle : kPlain;
}

std::string value_message(const ServiceStyle& style, std::string_view operation, const ValueError& error) {
  const auto is_one_of = [&](std::span<const std::string_view> operations) { return std::ranges::find(operations, operation) != operations.end(); };
  if (is_one_of(style.older_values)) return error.older();
  return is_one_of(style.enveloped_values) ? "1 validation error detected: " + error.message() : error.message();
}

std::string error_type(const ServiceStyle& style, std::string_view code) {
  if (style.type_prefix.empty()) return std::string(code);
  std::string_view prefix = style.type_prefix;
  if (std::ranges::find(kFrameworkErrors, code) != kFrameworkErrors.end()) prefix = "com.amazon.coral.service#";
  if (code == "ValidationException") prefix = "com.amazon.coral.validate#";
  return std::string(prefix).append(code);
}

}  // namespace parvis::aws
