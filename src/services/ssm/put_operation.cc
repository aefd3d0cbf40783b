// PutParameter: a new parameter, or a new version of one. Source: Systems Manager API Reference, PutParameter.
#include <algorithm>

#include <fmt/format.h>
#include <re2/re2.h>

#include "services/ssm/errors.h"
#include "services/ssm/operations.h"

namespace parvis::ssm {
namespace {

constexpr std::size_t kStandardValueMax = 4096, kAdvancedValueMax = 8192;
constexpr std::string_view kOwnKey = "alias/aws/ssm";
constexpr int kAttemptsMax = 10;

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

// Letters, not bytes: what does not continue one begins one.
std::size_t letters(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void check_pattern(const std::string& pattern, const std::string& value) {
  if (pattern.empty()) return;
  re2::RE2::Options quiet;
  quiet.set_log_errors(false);
  const re2::RE2 compiled(pattern, quiet);
  if (!compiled.ok()) {
    throw aws::ApiError(errors::kInvalidAllowedPatternException, fmt::format("The regular expression is not valid: {} ({}).", pattern, compiled.error()));
  }
  if (!re2::RE2::FullMatch(value, compiled)) {
    throw aws::ApiError(errors::kParameterPatternMismatchException, fmt::format("Parameter value, cannot be validated against allowedPattern: {}", pattern));
  }
}

// Intelligent tiering means the smaller tier where the value fits.
std::string choose_tier(const std::optional<std::string>& wanted, const std::string& before, std::size_t value_size) {
  std::string tier = wanted ? *wanted : before.empty() ? "Standard" : before;
  if (tier == "Intelligent-Tiering") tier = before == "Advanced" || value_size > kStandardValueMax ? "Advanced" : "Standard";
  if (before == "Advanced" && tier == "Standard") {
    throw aws::ApiError(kValidation, "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the "
        "standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it to be a standard parameter. Be aware that standard "
        "parameters have a value limit of 4096 characters.");
  }
  if (tier == "Standard" && value_size > kStandardValueMax) {
    throw aws::ApiError(kValidation, "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, "
        "upgrade the parameter to use the advanced-parameter tier. For more information, see "
        "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html");
  }
  if (value_size > kAdvancedValueMax) {
    throw aws::ApiError(kValidation, "Advanced tier parameters support a maximum parameter value of 8192 characters.");
  }
  return tier;
}

void check_input(const aws::Scope& scope, const model::PutParameterInput& in) {
  check_new_name(scope, or_default(in.name));
  if (or_default(in.value).empty()) {
    throw aws::ApiError(kValidation, "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.");
  }
  if (or_default(in.overwrite) && in.tags && !in.tags->empty()) {
    throw aws::ApiError(kValidation, "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To "
        "update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.");
  }
  if (const std::string type = or_default<std::string>(in.data_type, "text"); type != "text") {
    throw aws::ApiError(kValidation, fmt::format("The data type {} is not available on this platform: only text is.", type));
  }
}

// The oldest version makes room for the newest, unless it has a label.
void check_room(const ParameterRecord& record) {
  if (record.latest.version - record.oldest + 1 < kVersionsMax) return;
  for (const auto& [label, version] : record.labels) {
    if (version != record.oldest) continue;
    throw aws::ApiError(errors::kParameterMaxVersionLimitExceeded, fmt::format("You attempted to create a new version of {} by calling the PutParameter API with the "
        "overwrite flag. Version {}, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the "
        "parameter, and try again.", record.name, record.oldest));
  }
}

}  // namespace

awaitable<model::PutParameterOutput> SsmService::put(aws::CallContext call, model::PutParameterInput in) {
  check_input(call.scope, in);
  const std::string name = or_default(in.name), value = or_default(in.value), arn = parameter_arn(call.scope, name);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    auto found = co_await parameters_.find(call.scope, name);
    if (found && !or_default(in.overwrite)) {
      throw aws::ApiError(errors::kParameterAlreadyExists, "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.");
    }
    if (!found && !in.type) throw aws::ApiError(kValidation, "A parameter type is required when you create a parameter.");
    ParameterRecord record;
    if (found) {
      record = found->record;
      check_room(record);
    } else {
      record.id = entropy_.uuid();
      record.name = name;
      if (in.tags) put_tags(record, *in.tags, call.origin == "template");
    }
    // What a new version does not say stays as it was.
    ParameterVersion& next = record.latest;
    ++next.version;
    if (in.type) next.type = *in.type;
    if (in.description) next.description = *in.description;
    if (in.allowed_pattern) next.allowed_pattern = *in.allowed_pattern;
    if (in.key_id && next.type != "SecureString") throw aws::ApiError(kValidation, "KeyId is only for parameters of the type SecureString.");
    next.key_id = next.type != "SecureString" ? "" : in.key_id ? *in.key_id : next.key_id.empty() ? std::string(kOwnKey) : next.key_id;
    next.tier = choose_tier(in.tier, found ? found->record.latest.tier : "", letters(value));
    check_pattern(next.allowed_pattern, value);
    next.value = next.type == "SecureString" ? parameters_.seal(value, arn) : value;
    next.modified = clock_.wall();
    next.modified_by = call.principal.arn;
    model::PutParameterOutput out;
    out.version = static_cast<std::int64_t>(next.version);
    out.tier = next.tier;
    if (co_await parameters_.write(call.scope, std::move(record), found ? std::optional(found->version) : std::nullopt, true)) co_return out;
  }
  throw aws::ApiError(errors::kTooManyUpdates, "There are concurrent updates for a resource that supports one update at a time.");
}

}  // namespace parvis::ssm
