#include "services/lambda/configuration.h"

#include <fmt/format.h>

#include "core/hash.h"

namespace parvis::lambda {
namespace model = aws::model::lambda;
namespace {

[[noreturn]] void refuse(std::string_view member, std::string_view why = {}) {
  throw error(kInvalidParameterValue, fmt::format("{} is not available on this platform yet{}{}", member, why.empty() ? "." : ": ", why));
}

bool filled(const auto& optional) { return optional && !optional->empty(); }

// Members that CreateFunction and UpdateFunctionConfiguration share.
template <class Input>
void refuse_shared(const Input& in) {
  if (in.vpc_config && (filled(in.vpc_config->subnet_ids) || filled(in.vpc_config->security_group_ids))) {
    refuse("VpcConfig", "functions run on the platform's own network.");
  }
  if (in.dead_letter_config && filled(in.dead_letter_config->target_arn)) refuse("DeadLetterConfig");
  if (filled(in.kms_key_arn)) refuse("KMSKeyArn");
  if (filled(in.file_system_configs)) refuse("FileSystemConfigs");
  if (in.image_config && (filled(in.image_config->entry_point) || filled(in.image_config->command) ||
                          filled(in.image_config->working_directory))) {
    refuse("ImageConfig");
  }
  if (in.capacity_provider_config) refuse("CapacityProviderConfig");
  if (in.durable_config) refuse("DurableConfig");
  if (in.runtime_config) refuse("RuntimeConfig");
  if (in.accelerator_config) refuse("AcceleratorConfig");
}

// Levels are kept of JSON logs alone; both are INFO when nobody says otherwise.
void apply_logging(FunctionRecord& record, const model::LoggingConfig& in) {
  if (in.log_group) record.log_group = *in.log_group;
  if (in.log_format) record.log_format = *in.log_format;
  if (record.log_format == "Text") {
    if (in.application_log_level || in.system_log_level)
      throw error(kInvalidParameterValue, "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change the LogFormat to \"JSON\" and try again.");
    record.application_log_level = record.system_log_level = "";
    return;
  }
  if (in.application_log_level) record.application_log_level = *in.application_log_level;
  if (in.system_log_level) record.system_log_level = *in.system_log_level;
  if (record.application_log_level.empty()) record.application_log_level = "INFO";
  if (record.system_log_level.empty()) record.system_log_level = "INFO";
}

template <class Input>
void apply_shared(FunctionRecord& record, const Input& in) {
  if (in.runtime) record.runtime = *in.runtime;
  if (in.role) record.role = *in.role;
  if (in.handler) record.handler = *in.handler;
  if (in.description) record.description = *in.description;
  if (in.timeout) record.timeout_seconds = *in.timeout;
  if (in.memory_size) record.memory_mb = *in.memory_size;
  if (in.environment) record.environment = in.environment->variables.value_or(std::map<std::string, std::string>{});
  if (in.tracing_config && in.tracing_config->mode) record.tracing_mode = *in.tracing_config->mode;
  if (in.ephemeral_storage && in.ephemeral_storage->size) record.ephemeral_mb = *in.ephemeral_storage->size;
  if (in.logging_config) apply_logging(record, *in.logging_config);
  if (in.snap_start && in.snap_start->apply_on) record.snap_start = *in.snap_start->apply_on == "PublishedVersions";
}

}  // namespace

void refuse_unsupported(const model::CreateFunctionInput& in) {
  refuse_shared(in);
  if (filled(in.code_signing_config_arn)) refuse("CodeSigningConfigArn");
  if (in.tenancy_config) refuse("TenancyConfig");
  if (in.publish_to) refuse("PublishTo");
}

void refuse_unsupported(const model::UpdateFunctionConfigurationInput& in) { refuse_shared(in); }

void refuse_code_options(const model::FunctionCode& code) {
  if (filled(code.source_kms_key_arn)) refuse("Code.SourceKMSKeyArn");
  if (code.s3_object_storage_mode && *code.s3_object_storage_mode != "COPY") refuse("Code.S3ObjectStorageMode REFERENCE");
}

void refuse_code_options(const model::UpdateFunctionCodeInput& in) {
  if (in.image_uri) refuse("ImageUri", "use a Zip package.");
  if (in.publish_to) refuse("PublishTo");
  if (filled(in.source_kms_key_arn)) refuse("SourceKMSKeyArn");
  if (in.s3_object_storage_mode && *in.s3_object_storage_mode != "COPY") refuse("S3ObjectStorageMode REFERENCE");
}

void apply_configuration(FunctionRecord& record, const model::CreateFunctionInput& in) { apply_shared(record, in); }
void apply_configuration(FunctionRecord& record, const model::UpdateFunctionConfigurationInput& in) { apply_shared(record, in); }

model::FunctionConfiguration describe(const FunctionRecord& record, const std::string& qualifier) {
  model::FunctionConfiguration out;
  out.function_name = record.name;
  out.function_arn = qualifier.empty() ? record.arn() : record.arn() + ":" + qualifier;
  out.runtime = record.runtime;
  out.role = record.role;
  out.handler = record.handler;
  out.code_size = static_cast<std::int64_t>(record.code.size_bytes);
  out.description = record.description;
  out.timeout = record.timeout_seconds;
  out.memory_size = record.memory_mb;
  out.last_modified = format_last_modified(record.last_modified);
  out.code_sha256 = base64_encode(record.code.sha256);
  out.version = record.version;
  if (!record.environment.empty()) {
    out.environment = model::EnvironmentResponse{};
    out.environment->variables = record.environment;
  }
  out.tracing_config = model::TracingConfigResponse{};
  out.tracing_config->mode = record.tracing_mode;
  out.revision_id = record.revision_id;
  if (!record.layers.empty()) {
    out.layers.emplace();
    for (const LayerUse& layer : record.layers) {
      out.layers->emplace_back();
      out.layers->back().arn = layer.arn;
      out.layers->back().code_size = static_cast<std::int64_t>(layer.code.size_bytes);
    }
  }
  out.state = "Active";
  out.last_update_status = "Successful";
  out.package_type = "Zip";
  out.architectures = std::vector<std::string>{record.architecture};
  out.ephemeral_storage = model::EphemeralStorage{};
  out.ephemeral_storage->size = record.ephemeral_mb;
  out.snap_start = model::SnapStartResponse{};
  out.snap_start->apply_on = record.snap_start ? "PublishedVersions" : "None";
  out.snap_start->optimization_status = record.snap_start && record.version != kLatest ? "On" : "Off";
  out.logging_config = model::LoggingConfig{};
  out.logging_config->log_format = record.log_format;
  if (record.log_format != "Text") {
    out.logging_config->application_log_level = record.application_log_level;
    out.logging_config->system_log_level = record.system_log_level;
  }
  out.logging_config->log_group = record.log_group_name();
  out.runtime_version_config = model::RuntimeVersionConfig{};
  out.runtime_version_config->runtime_version_arn = runtime_version_arn(record);
  return out;
}

model::FunctionConfiguration describe_listed(const FunctionRecord& record, const std::string& qualifier) {
  model::FunctionConfiguration out = describe(record, qualifier);
  out.state.reset();
  out.last_update_status.reset();
  out.runtime_version_config.reset();
  return out;
}

std::string runtime_version_arn(const FunctionRecord& record) {
  return fmt::format("arn:aws:lambda:{}::runtime:{}", record.scope.region, hex_encode(sha256("runtime " + record.runtime)));
}

}  // namespace parvis::lambda
