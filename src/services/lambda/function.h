// lambda/function.h: the record of one function, and of each of its published versions: configuration, where code and layers
// are. Validation with the service's messages. Pure: nothing here reads or writes the store.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "aws/api_call.h"
#include "core/clock.h"

namespace parvis::lambda {

inline constexpr std::string_view kLatest = "$LATEST";

// What names a function in a call: "name", "name:qualifier", "123456789012:function:name" or a whole ARN.
struct FunctionRef {
  aws::Scope scope;
  std::string name;
  std::string qualifier;  // "" when none was given
  std::string arn() const;            // without the qualifier
  std::string qualified_arn() const;  // with it, when there is one
};
// `qualifier` is the call's own Qualifier member; the name may carry one too.
// Throws: InvalidParameterValueException (malformed, or two qualifiers that differ), ResourceNotFoundException (another
//   Region's or account's function).
// Source: Lambda API Reference, FunctionName of Invoke.
FunctionRef parse_function_ref(const aws::Scope& caller, std::string_view name, std::string_view qualifier = {});
// As above, for operations on the function as a whole. Throws ResourceNotFoundException for a qualifier other than $LATEST.
FunctionRef latest_ref(const aws::Scope& caller, std::string_view name, std::string_view qualifier = {});
bool is_latest(std::string_view qualifier);   // "" and $LATEST
bool is_version(std::string_view qualifier);  // digits
std::string function_arn(const aws::Scope& scope, std::string_view name);
aws::ApiError not_found(const FunctionRef& ref);

struct CodeRef {
  std::string id;         // of the stored package; empty for a local folder
  std::string local_dir;  // a folder of the host, `parvis dev` only; empty otherwise
  std::string sha256;     // 32 raw bytes
  std::uint64_t size_bytes = 0;
};

struct LayerUse {  // one layer of a function: which version, and its package
  std::string arn;
  CodeRef code;
};

struct FunctionRecord {
  aws::Scope scope;
  std::string id;                        // of this function for as long as it exists; a later one of the same name has another
  std::string version = std::string(kLatest);  // of a published version: its number
  std::string name, runtime, role, handler, description;
  int timeout_seconds = 3;
  int memory_mb = 128;
  int ephemeral_mb = 512;
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> tags;
  std::string architecture = "x86_64";
  std::string tracing_mode = "PassThrough";
  std::string log_format = "Text", application_log_level, system_log_level;  // the levels: of JSON logs alone
  std::string log_group;                 // empty: /aws/lambda/<name>
  std::optional<int> reserved_concurrency;
  CodeRef code;
  std::vector<LayerUse> layers;
  bool snap_start = false;               // SnapStart ApplyOn PublishedVersions
  std::string recursive_loop = "Terminate";
  std::string revision_id;               // changes with code and configuration
  std::string config_id;                 // as revision_id
  Millis last_modified{};
  // Of $LATEST only.
  int next_version = 1;
  std::string published_config;          // config_digest() of $LATEST when `next_version - 1` was published

  std::string arn() const { return function_arn(scope, name); }
  std::string log_group_name() const { return log_group.empty() ? "/aws/lambda/" + name : log_group; }
};

// Equal for records that run the same code with the same configuration.
std::string config_digest(const FunctionRecord& record);
std::string to_json(const FunctionRecord& record);
// nullopt: not what to_json() writes, or a newer format.
std::optional<FunctionRecord> parse_record(std::string_view json);

// Each throws InvalidParameterValueException or ValidationException with the service's message.
// Source: Lambda API Reference, CreateFunction; Developer Guide, "Lambda quotas", "Defined runtime environment variables".
void check_name(std::string_view name);
void check_runtime(std::string_view runtime);
void check_memory(std::int64_t memory_mb);
void check_timeout(std::int64_t timeout_seconds);
void check_environment(const std::map<std::string, std::string>& variables);  // reserved keys; 4 KB in total
// Ours: how far the function's connections go where functions have networks of their own: "none", "platform" or "outbound". It
// narrows what the platform allows, never widens it, and holds for environments that start later.
inline constexpr std::string_view kNetworkTag = "parvis:network";
void check_tags(const std::map<std::string, std::string>& tags, bool from_template);  // 50; no "aws:" from users
void check_architecture(std::string_view architecture);
void check_whole(const FunctionRecord& record);  // all of the above that a record carries

std::string format_last_modified(Millis time);  // "2026-11-23T10:00:00.000+0000"
// Members of records as JSON, for records in other files too.
boost::json::object to_object(const std::map<std::string, std::string>& map);
boost::json::object to_object(const CodeRef& code);
CodeRef to_code(const boost::json::object& object);  // throws when it is not what to_object() makes

}  // namespace parvis::lambda
