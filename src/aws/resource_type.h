// aws/resource_type.h: how a service offers a CloudFormation resource type. The templates room drives it and knows no service.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "aws/api_call.h"
#include "core/async.h"

namespace parvis::aws {

// What happens to one property, and what changing it does. Nested properties are named with dots: "Code.S3Bucket",
// list elements with "[]": "GlobalSecondaryIndexes[].IndexName".
struct PropertyRule {
  enum class Handling { kApplied, kNeutral, kWarned, kRefused };
  enum class Change { kInPlace, kReplaces };
  std::string_view path;
  Handling handling = Handling::kApplied;
  Change change = Change::kInPlace;
  std::string_view note = {};  // why it is neutral, warned about or refused; shown to the user
};

struct ResourceRequest {
  CallContext call;
  std::string stack_id, stack_name, logical_id;
  std::string type;                    // as the template names it: "Custom::Thing"
  std::string physical_id;             // update and remove
  boost::json::object properties;      // intrinsic functions resolved
  boost::json::object old_properties;  // update
  std::string token;                   // the same for every retry of this step: make creation idempotent with it
  // A name as CloudFormation makes it: <stack>-<logical id>-<12 characters of token>, at most `length_max` long.
  std::string generated_name(std::size_t length_max) const;
};

struct ResourceResult {
  std::string physical_id;         // what Ref gives
  boost::json::object attributes;  // what GetAtt gives; dotted names are spelled with the dot
};

class ResourceType {  // stateless; all calls go through the ApiClient it was made with
 public:
  virtual ~ResourceType() = default;
  virtual std::string_view name() const = 0;                     // "AWS::DynamoDB::Table"
  virtual std::span<const PropertyRule> rules() const = 0;       // a property not listed is refused by name
  virtual std::span<const std::string_view> required() const { return {}; }
  virtual bool any_property() const { return false; }            // properties beside those of rules() are applied, too
  virtual bool holds_data() const { return false; }              // dev detaches instead of deleting
  // create with the same token twice returns the first one's result; remove of something gone succeeds.
  virtual awaitable<ResourceResult> create(ResourceRequest request) = 0;
  // Another physical id means that the resource was replaced: the old one is removed when the deployment has succeeded.
  virtual awaitable<ResourceResult> update(ResourceRequest request) = 0;
  virtual awaitable<> remove(ResourceRequest request) = 0;
};

class ResourceTypes {
 public:
  void add(std::unique_ptr<ResourceType> type);
  // "Custom::…" is AWS::CloudFormation::CustomResource.
  const ResourceType* find(std::string_view name) const;
  ResourceType* find(std::string_view name);
  std::vector<std::string_view> names() const;

 private:
  std::map<std::string, std::unique_ptr<ResourceType>, std::less<>> types_;
};

}  // namespace parvis::aws
