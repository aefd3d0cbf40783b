// lambda/resource_support.h: what the CloudFormation types of this service share: reading properties, calling, trying again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "aws/resource_type.h"

namespace parvis::lambda {

std::string text_of(const boost::json::object& properties, std::string_view key);
// Templates write numbers and booleans as text, too. Throws InvalidParameterValueException.
boost::json::value number_of(const boost::json::value& value, std::string_view property);
boost::json::value flag_of(const boost::json::value& value);
void copy(const boost::json::object& from, boost::json::object& to, std::string_view key);
std::string scalar_text(const boost::json::value& value);
// What names the resource, of which an update or a deletion may know the former properties alone.
const boost::json::object& properties_of(const aws::ResourceRequest& request);
// "arn:…:name:rest" as {first: arn:…:name, second: rest}.
boost::json::object split_arn(const std::string& arn, std::string_view first, std::string_view second);

// A resource type over this service's operations.
class LambdaType : public aws::ResourceType {
 public:
  explicit LambdaType(aws::ApiClient& api) : api_(api) {}

 protected:
  awaitable<boost::json::object> ask(aws::CallContext call, std::string operation, boost::json::object input);
  // nullopt: the service answered with the error `code`.
  awaitable<std::optional<boost::json::object>> ask_unless(aws::CallContext call, std::string operation, boost::json::object input,
                                                           std::string code);
  // For what is to go: that it is not there is as good.
  awaitable<> ask_to_go(aws::CallContext call, std::string operation, boost::json::object input);
  aws::ApiClient& api_;
};

// One function per file of resource types.
void add_version_types(aws::ResourceTypes& types, aws::ApiClient& api);   // Version, Alias
void add_layer_types(aws::ResourceTypes& types, aws::ApiClient& api);     // LayerVersion, LayerVersionPermission
void add_url_types(aws::ResourceTypes& types, aws::ApiClient& api);       // Url, EventInvokeConfig

}  // namespace parvis::lambda
