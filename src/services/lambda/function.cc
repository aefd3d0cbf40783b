#include "services/lambda/function.h"

#include <algorithm>
#include <array>
#include <ranges>

#include <fmt/format.h>

#include "core/hash.h"
#include "core/time_format.h"
#include "functions/network/names.h"
#include "services/lambda/errors.h"

namespace parvis::lambda {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
}

bool is_account(std::string_view text) {
  return text.size() == 12 && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t from = 0;;) {
    const std::size_t to = text.find(separator, from);
    parts.push_back(text.substr(from, to - from));
    if (to == std::string_view::npos) return parts;
    from = to + 1;
  }
}

aws::ApiError bad_name(std::string_view name) {
  return error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: "
      "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}(-gov)?-[a-z]+-\\d{{1}}:)?"
      "(\\d{{12}}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?", name));
}

constexpr std::array kRunnable = {"nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13",
    "python3.14", "java8.al2", "java11", "java17", "java21", "java25", "provided.al2", "provided.al2023"};
// Known to the service, not run here yet.
constexpr std::array kKnown = {"dotnet8", "dotnet10", "ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"};
constexpr std::array kBeforeSnapStart = {"java8.al2", "python3.9", "python3.10", "python3.11"};
constexpr std::array kRetired = {"nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x",
    "nodejs14.x", "nodejs16.x", "java8", "python2.7", "python3.6", "python3.7", "python3.8", "dotnetcore1.0", "dotnetcore2.0",
    "dotnetcore2.1", "dotnetcore3.1", "dotnet6", "go1.x", "ruby2.5", "ruby2.7", "provided"};

constexpr std::array kReservedKeys = {"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"};

bool contains(const auto& list, std::string_view text) {
  return std::ranges::any_of(list, [&](std::string_view entry) { return entry == text; });
}

void check_range(std::int64_t value, std::int64_t min, std::int64_t max, std::string_view member) {
  if (value >= min && value <= max) return;
  throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must "
      "have value {} than or equal to {}", value, member, value < min ? "greater" : "less", value < min ? min : max));
}

std::map<std::string, std::string> to_map(const boost::json::object& object) {
  std::map<std::string, std::string> out;
  for (const auto& entry : object) out.emplace(entry.key(), entry.value().as_string());
  return out;
}

std::string text(const boost::json::object& object, std::string_view key) {
  return std::string(object.at(key).as_string());
}

}  // namespace

boost::json::object to_object(const std::map<std::string, std::string>& map) {
  boost::json::object out;
  for (const auto& [key, value] : map) out[key] = value;
  return out;
}

boost::json::object to_object(const CodeRef& code) {
  return {{"id", code.id}, {"local_dir", code.local_dir}, {"sha256", hex_encode(code.sha256)}, {"size", code.size_bytes}};
}

CodeRef to_code(const boost::json::object& object) {
  return {text(object, "id"), text(object, "local_dir"), hex_decode(text(object, "sha256")).value(),
          object.at("size").to_number<std::uint64_t>()};
}

bool is_latest(std::string_view qualifier) { return qualifier.empty() || qualifier == kLatest; }
bool is_version(std::string_view qualifier) {
  return !qualifier.empty() && std::ranges::all_of(qualifier, [](unsigned char c) { return std::isdigit(c); });
}

std::string function_arn(const aws::Scope& scope, std::string_view name) {
  return fmt::format("arn:aws:lambda:{}:{}:function:{}", scope.region, scope.account, name);
}

std::string FunctionRef::arn() const { return function_arn(scope, name); }
std::string FunctionRef::qualified_arn() const { return qualifier.empty() ? arn() : arn() + ":" + qualifier; }

aws::ApiError not_found(const FunctionRef& ref) {
  return error(kResourceNotFound, "Function not found: " + ref.qualified_arn());
}

FunctionRef parse_function_ref(const aws::Scope& caller, std::string_view name, std::string_view qualifier) {
  std::vector<std::string_view> parts = split(name, ':');
  FunctionRef ref{.scope = caller, .name = {}, .qualifier = {}};
  std::size_t at = 0;
  if (parts[0] == "arn") {  // arn:aws:lambda:region:account:function:name[:qualifier]
    if (parts.size() < 7 || parts[2] != "lambda" || parts[5] != "function") throw bad_name(name);
    ref.scope.region = parts[3];
    ref.scope.account = parts[4];
    at = 6;
  } else if (parts.size() >= 3 && parts[1] == "function") {  // account:function:name[:qualifier]
    ref.scope.account = parts[0];
    at = 2;
  } else if (parts.size() >= 2 && parts[0] == "function") {
    at = 1;
  }
  if (parts.size() > at + 2 || !is_name(parts[at]) || !is_account(ref.scope.account)) throw bad_name(name);
  ref.name = parts[at];
  if (parts.size() == at + 2) {
    ref.qualifier = parts[at + 1];
    if (ref.qualifier != kLatest && !is_name(ref.qualifier)) throw bad_name(name);
    if (!qualifier.empty() && qualifier != ref.qualifier) {
      throw error(kInvalidParameterValue, "The derived qualifier from the function name does not match the specified qualifier.");
    }
  } else {
    ref.qualifier = qualifier;
  }
  if (ref.scope.region != caller.region) {
    throw error(kResourceNotFound, fmt::format("Functions from '{}' are not reachable in this region ('{}')", ref.scope.region,
        caller.region));
  }
  if (ref.scope.account != caller.account) throw not_found(ref);
  return ref;
}

FunctionRef latest_ref(const aws::Scope& caller, std::string_view name, std::string_view qualifier) {
  FunctionRef ref = parse_function_ref(caller, name, qualifier);
  if (!is_latest(ref.qualifier)) throw not_found(ref);
  return ref;
}

void check_name(std::string_view name) {
  if (!is_name(name)) {
    if (name.size() > 64) {
      throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: "
          "Member must have length less than or equal to 64", name));
    }
    throw bad_name(name);
  }
}

void check_runtime(std::string_view runtime) {
  if (contains(kRunnable, runtime)) return;
  if (contains(kRetired, runtime)) {
    throw error(kInvalidParameterValue, fmt::format("The runtime parameter of {} is no longer supported for creating or updating "
        "AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions.", runtime));
  }
  if (contains(kKnown, runtime)) {
    // Differs from AWS: these runtimes are not run here yet.
    throw error(kInvalidParameterValue, fmt::format("The runtime {} is not available on this platform yet. Available: {}. Any other program runs as {}, with a bootstrap "
        "that starts the runtime's interface client.", runtime, fmt::join(kRunnable, ", "), "provided.al2023"));
  }
  throw error(kInvalidParameterValue, fmt::format("Value {} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
      "value set: [{}, {}] or be a valid ARN", runtime, fmt::join(kRunnable, ", "), fmt::join(kKnown, ", ")));
}

void check_memory(std::int64_t memory_mb) { check_range(memory_mb, 128, 10240, "memorySize"); }
void check_timeout(std::int64_t timeout_seconds) { check_range(timeout_seconds, 1, 900, "timeout"); }

void check_environment(const std::map<std::string, std::string>& variables) {
  std::vector<std::string_view> reserved;
  for (const auto& [key, value] : variables) {
    if (contains(kReservedKeys, key)) reserved.push_back(key);
    const bool well_formed = key.size() >= 2 && std::isalpha(static_cast<unsigned char>(key[0])) &&
        std::ranges::all_of(key, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (!well_formed && !contains(kReservedKeys, key)) {
      throw error(kValidation, fmt::format("1 validation error detected: Value at 'environment.variables' failed to satisfy "
          "constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "
          "[a-zA-Z]([a-zA-Z0-9_])+] (key: {})", key));
    }
    // A worker receives its environment as C strings, which cannot carry this byte.
    if (value.find('\0') != std::string::npos) {
      throw error(kInvalidParameterValue, fmt::format("The value of the environment variable {} contains a null character.", key));
    }
  }
  if (!reserved.empty()) {
    throw error(kInvalidParameterValue, fmt::format("Lambda was unable to configure your environment variables because the "
        "environment variables you have provided contains reserved keys that are currently not supported for modification. "
        "Reserved keys used in this request: {}", fmt::join(reserved, ", ")));
  }
  const std::string measured = boost::json::serialize(to_object(variables));
  if (!variables.empty() && measured.size() > 4096) {
    throw error(kInvalidParameterValue, "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided exceeded the 4KB limit. String measured: " + measured.substr(0, 5000));
  }
}

void check_tags(const std::map<std::string, std::string>& tags, bool from_template) {
  std::size_t own = 0;
  for (const auto& [key, value] : tags) {
    const bool system = key.starts_with("aws:");
    if (system && !from_template) {
      throw error(kInvalidParameterValue, "System tags (prefix aws:) cannot be added or removed by users: " + key);
    }
    if (!system) ++own;
    if (key == kNetworkTag && !network::parse_reach(value)) throw error(kInvalidParameterValue, "The tag parvis:network is none, platform or outbound.");
    if (key.empty() || key.size() > 128 || value.size() > 256) {
      throw error(kInvalidParameterValue, "Tag keys have 1 to 128 and tag values up to 256 characters: " + key.substr(0, 128));
    }
  }
  if (own > 50) throw error(kInvalidParameterValue, "The number of tags exceeds the limit of 50.");
}

void check_architecture(std::string_view architecture) {
  if (architecture == "x86_64" || architecture == "arm64") return;
  throw error(kValidation, fmt::format("1 validation error detected: Value '[{}]' at 'architectures' failed to satisfy constraint: "
      "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]", architecture));
}

void check_whole(const FunctionRecord& record) {
  check_name(record.name);
  if (record.runtime.empty() || record.handler.empty()) {
    throw error(kInvalidParameterValue, "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
  }
  check_runtime(record.runtime);
  if (record.handler.size() > 128 || record.handler.find_first_of(" \t\r\n") != std::string::npos) {
    throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'handler' failed to satisfy constraint: Member "
        "must satisfy regular expression pattern: [^\\s]+", record.handler.substr(0, 256)));
  }
  if (record.description.size() > 256) {
    throw error(kValidation, "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have "
        "length less than or equal to 256");
  }
  check_memory(record.memory_mb);
  check_timeout(record.timeout_seconds);
  check_range(record.ephemeral_mb, 512, 10240, "ephemeralStorage.size");
  check_environment(record.environment);
  check_architecture(record.architecture);
  // Source: Developer Guide, "Supported features and limitations" of SnapStart: Java 11, Python 3.12, .NET 8 and later.
  if (record.snap_start && (record.runtime.starts_with("nodejs") || record.runtime.starts_with("ruby") || record.runtime.starts_with("provided") || contains(kBeforeSnapStart, record.runtime))) {
    throw error(kInvalidParameterValue, fmt::format("{} is not supported for SnapStart enabled functions.", record.runtime));
  }
}

std::string format_last_modified(Millis time) {
  std::string out = format_iso8601(time);  // …Z
  out.replace(out.size() - 1, 1, "+0000");
  return out;
}

std::string to_json(const FunctionRecord& r) {
  boost::json::array layers;
  for (const LayerUse& layer : r.layers) layers.push_back(boost::json::object{{"arn", layer.arn}, {"code", to_object(layer.code)}});
  boost::json::object out{{"format", 2}, {"account", r.scope.account}, {"region", r.scope.region}, {"id", r.id},
      {"version", r.version}, {"name", r.name}, {"runtime", r.runtime}, {"role", r.role}, {"handler", r.handler},
      {"description", r.description}, {"timeout", r.timeout_seconds}, {"memory", r.memory_mb}, {"ephemeral", r.ephemeral_mb},
      {"environment", to_object(r.environment)}, {"tags", to_object(r.tags)}, {"architecture", r.architecture},
      {"tracing", r.tracing_mode}, {"log_group", r.log_group}, {"code", to_object(r.code)}, {"layers", std::move(layers)},
      {"snap_start", r.snap_start}, {"recursive_loop", r.recursive_loop}, {"revision", r.revision_id}, {"config", r.config_id},
      {"modified", r.last_modified.time_since_epoch().count()}, {"next_version", r.next_version}, {"published", r.published_config}};
  if (r.reserved_concurrency) out["concurrency"] = *r.reserved_concurrency;
  if (r.log_format != "Text") out["logs"] = boost::json::array{r.log_format, r.application_log_level, r.system_log_level};
  return boost::json::serialize(out);
}

std::string config_digest(const FunctionRecord& record) {
  FunctionRecord only = record;
  only.version = only.revision_id = only.config_id = only.published_config = only.code.id = "";
  only.tags.clear();
  only.reserved_concurrency.reset();
  only.recursive_loop = "";
  only.last_modified = {};
  only.next_version = 0;
  for (LayerUse& layer : only.layers) layer.code.id = "";
  const Sha256Digest digest = sha256(to_json(only));
  return hex_encode(as_bytes(digest));
}

std::optional<FunctionRecord> parse_record(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  const auto format = o.at("format").as_int64();
  if (format != 1 && format != 2) return std::nullopt;
  FunctionRecord r;
  r.scope = {text(o, "account"), text(o, "region")};
  r.name = text(o, "name");
  r.runtime = text(o, "runtime");
  r.role = text(o, "role");
  r.handler = text(o, "handler");
  r.description = text(o, "description");
  r.timeout_seconds = o.at("timeout").to_number<int>();
  r.memory_mb = o.at("memory").to_number<int>();
  r.ephemeral_mb = o.at("ephemeral").to_number<int>();
  r.environment = to_map(o.at("environment").as_object());
  r.tags = to_map(o.at("tags").as_object());
  r.architecture = text(o, "architecture");
  r.tracing_mode = text(o, "tracing");
  r.log_group = text(o, "log_group");
  if (const auto* limit = o.if_contains("concurrency")) r.reserved_concurrency = limit->to_number<int>();
  if (const auto* logs = o.if_contains("logs")) {
    const auto at = [&](std::size_t i) { return std::string(logs->as_array().at(i).as_string()); };
    r.log_format = at(0), r.application_log_level = at(1), r.system_log_level = at(2);
  }
  r.code = to_code(o.at("code").as_object());
  r.revision_id = text(o, "revision");
  r.config_id = text(o, "config");
  r.last_modified = Millis{std::chrono::milliseconds{o.at("modified").as_int64()}};
  r.id = r.name;  // of format 1: no id of the second format looks like a name that was there before it
  if (format == 1) return r;
  r.id = text(o, "id");
  r.version = text(o, "version");
  for (const auto& layer : o.at("layers").as_array()) {
    r.layers.push_back({text(layer.as_object(), "arn"), to_code(layer.as_object().at("code").as_object())});
  }
  r.snap_start = o.at("snap_start").as_bool();
  r.recursive_loop = text(o, "recursive_loop");
  r.next_version = o.at("next_version").to_number<int>();
  r.published_config = text(o, "published");
  return r;
} catch (const std::exception&) {
  return std::nullopt;  // boost::json and optional throw for anything that is not as written
}

}  // namespace parvis::lambda
