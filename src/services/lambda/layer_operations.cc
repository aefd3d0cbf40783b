#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "services/lambda/operations.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

constexpr std::size_t kUnpackedBytesMax = 262'144'000;  // function and layers together

aws::ApiError no_layer() { return error(kResourceNotFound, "The resource you requested does not exist."); }
aws::ApiError no_layer(const LayerVersion& asked) {
  return error(kResourceNotFound, fmt::format("Layer version {} does not exist.", asked.arn()));
}

LayerRef layer_ref(const aws::Scope& caller, std::string_view text, std::int64_t number) {
  std::optional<LayerRef> ref = parse_layer_ref(caller, text);
  if (!ref) {
    throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'layerName' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: (arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{{12}}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+", text));
  }
  if (number < 1) throw error(kInvalidParameterValue, "Layer Version Cannot be less than 1");
  ref->number = number;
  return *ref;
}

LayerVersion asked_for(const LayerRef& ref) {
  LayerVersion version;
  version.scope = ref.scope;
  version.name = ref.name;
  version.number = ref.number;
  return version;
}

// What the answers of PublishLayerVersion, GetLayerVersion and the lists have in common.
template <class Out>
void describe_layer(const LayerVersion& version, Out& out) {
  out.layer_version_arn = version.arn();
  out.description = version.description;
  out.created_date = format_last_modified(version.created);
  out.version = version.number;
  if (!version.runtimes.empty()) out.compatible_runtimes = version.runtimes;
  if (!version.architectures.empty()) out.compatible_architectures = version.architectures;
  if (!version.license.empty()) out.license_info = version.license;
}

template <class Out>
Out describe_content(const LayerVersion& version, std::string location) {
  Out out;
  describe_layer(version, out);
  out.layer_arn = version.layer_arn();
  out.content.emplace();
  out.content->location = std::move(location);
  out.content->code_sha256 = base64_encode(version.code.sha256);
  out.content->code_size = static_cast<std::int64_t>(version.code.size_bytes);
  return out;
}

bool matches(const LayerVersion& version, const std::optional<std::string>& runtime, const std::optional<std::string>& architecture) {
  const auto has = [](const std::vector<std::string>& list, const std::optional<std::string>& wanted) {
    return !wanted || std::ranges::find(list, *wanted) != list.end();
  };
  return has(version.runtimes, runtime) && has(version.architectures, architecture);
}

}  // namespace

awaitable<model::PublishLayerVersionOutput> LambdaService::publish_layer_version(aws::CallContext call, model::PublishLayerVersionInput in) {
  LayerRef ref = layer_ref(call.scope, or_default(in.layer_name), 1);
  LayerVersion version = asked_for(ref);
  version.scope = call.scope;
  version.description = or_default(in.description);
  version.license = or_default(in.license_info);
  version.runtimes = or_default(in.compatible_runtimes);
  version.architectures = or_default(in.compatible_architectures);
  version.created = clock_.wall();
  if (call.origin == "template") {
    version.token = call.request_id;
    for (const StoredLayerVersion& there : co_await layers_.versions(call.scope, ref.name)) {
      if (there.value.token != version.token) continue;
      co_return describe_content<model::PublishLayerVersionOutput>(there.value, location_of(call.scope, there.value.code));
    }
  }
  const model::LayerVersionContentInput content = or_default(std::move(in.content));
  if (or_default<std::string>(content.s3_object_storage_mode, "COPY") != "COPY") {
    throw error(kInvalidParameterValue, "Content.S3ObjectStorageMode REFERENCE is not available on this platform yet.");
  }
  version.code = co_await take_code(call, {content.zip_file, content.s3_bucket, content.s3_key, content.s3_object_version});
  storage::Commit with;
  CodeStore::hold(call.scope, version.code, with);
  version = co_await layers_.publish(std::move(version), std::move(with));
  co_return describe_content<model::PublishLayerVersionOutput>(version, location_of(call.scope, version.code));
}

awaitable<StoredLayerVersion> LambdaService::layer(aws::Scope scope, LayerRef ref) {
  if (ref.scope.account != scope.account || ref.scope.region != scope.region) throw no_layer();
  std::optional<StoredLayerVersion> found = co_await layers_.find(ref);
  if (!found || found->value.deleted) throw no_layer();
  co_return std::move(*found);
}

awaitable<model::GetLayerVersionOutput> LambdaService::get_layer_version(aws::CallContext call, model::GetLayerVersionInput in) {
  const LayerVersion version = (co_await layer(call.scope, layer_ref(call.scope, or_default(in.layer_name), or_default(in.version_number)))).value;
  co_return describe_content<model::GetLayerVersionOutput>(version, location_of(call.scope, version.code));
}

awaitable<model::GetLayerVersionByArnOutput> LambdaService::get_layer_version_by_arn(aws::CallContext call, model::GetLayerVersionByArnInput in) {
  const std::optional<LayerRef> ref = parse_layer_ref(call.scope, or_default(in.arn));
  if (!ref || ref->number == 0) {
    throw error(kValidation, fmt::format("1 validation error detected: Value '{}' at 'arn' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{{12}}:layer:[a-zA-Z0-9-_]+:[0-9]+", or_default(in.arn)));
  }
  const LayerVersion version = (co_await layer(call.scope, *ref)).value;
  co_return describe_content<model::GetLayerVersionByArnOutput>(version, location_of(call.scope, version.code));
}

awaitable<model::ListLayersOutput> LambdaService::list_layers(aws::CallContext call, model::ListLayersInput in) {
  const std::size_t limit = page_size(in.max_items);
  model::ListLayersOutput out;
  out.layers.emplace();
  for (std::string after = or_default(in.marker);;) {
    const LayerStore::Names page = co_await layers_.names(call.scope, after, 50);
    for (const std::string& name : page.names) {
      const auto versions = co_await layers_.versions(call.scope, name);
      const auto latest = std::ranges::find_if(versions, [&](const StoredLayerVersion& v) {
        return matches(v.value, in.compatible_runtime, in.compatible_architecture);
      });
      if (latest != versions.end()) {
        if (out.layers->size() == limit) {
          out.next_marker = after;
          co_return out;
        }
        model::LayersListItem item;
        item.layer_name = name;
        item.layer_arn = latest->value.layer_arn();
        item.latest_matching_version.emplace();
        describe_layer(latest->value, *item.latest_matching_version);
        out.layers->push_back(std::move(item));
      }
      after = name;
    }
    if (!page.more || page.names.empty()) co_return out;
  }
}

awaitable<model::ListLayerVersionsOutput> LambdaService::list_layer_versions(aws::CallContext call, model::ListLayerVersionsInput in) {
  const LayerRef ref = layer_ref(call.scope, or_default(in.layer_name), 1);
  const std::size_t limit = page_size(in.max_items);
  const std::string marker = or_default(in.marker);
  if (!marker.empty() && (!is_version(marker) || marker.size() > 18)) throw error(kInvalidParameterValue, "The provided Marker is not valid.");
  model::ListLayerVersionsOutput out;
  out.layer_versions.emplace();
  if (ref.scope.account != call.scope.account || ref.scope.region != call.scope.region) co_return out;
  for (const auto& [version, stamp] : co_await layers_.versions(call.scope, ref.name, marker.empty() ? 0 : std::stoll(marker))) {
    if (!matches(version, in.compatible_runtime, in.compatible_architecture)) continue;
    if (out.layer_versions->size() == limit) {
      out.next_marker = std::to_string(or_default(out.layer_versions->back().version));
      break;
    }
    describe_layer(version, out.layer_versions->emplace_back());
  }
  co_return out;
}

awaitable<model::DeleteLayerVersionOutput> LambdaService::delete_layer_version(aws::CallContext call, model::DeleteLayerVersionInput in) {
  const LayerRef ref = layer_ref(call.scope, or_default(in.layer_name), or_default(in.version_number));
  if (ref.scope.account != call.scope.account || ref.scope.region != call.scope.region) throw no_layer();
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    std::optional<StoredLayerVersion> found = co_await layers_.find(ref);
    if (!found || found->value.deleted) break;
    found->value.deleted = true;
    if (co_await layers_.write(std::move(found->value), found->version)) break;
  }
  co_return model::DeleteLayerVersionOutput{};
}

awaitable<Policy> LambdaService::change_layer_policy(aws::CallContext call, LayerRef ref, std::function<void(Policy&)> change) {
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    std::optional<StoredLayerVersion> found;
    if (ref.scope.account == call.scope.account && ref.scope.region == call.scope.region) found = co_await layers_.find(ref);
    if (!found || found->value.deleted) throw no_layer(asked_for(ref));
    change(found->value.policy);
    found->value.policy.revision_id = entropy_.uuid();
    const Policy policy = found->value.policy;
    if (co_await layers_.write(std::move(found->value), found->version)) co_return policy;
  }
  throw error(kResourceConflict, "The operation cannot be performed at this time. An update is in progress for the layer version.");
}

awaitable<model::AddLayerVersionPermissionOutput> LambdaService::add_layer_permission(aws::CallContext call,
                                                                                      model::AddLayerVersionPermissionInput in) {
  const LayerRef ref = layer_ref(call.scope, or_default(in.layer_name), or_default(in.version_number));
  const Statement statement = make_statement(asked_for(ref).arn(), in);
  const Policy policy = co_await change_layer_policy(call, ref, [&](Policy& policy) {
    check_policy_revision(policy, in.revision_id, "GetLayerPolicy");
    add_statement(policy, statement);
  });
  model::AddLayerVersionPermissionOutput out;
  out.statement = boost::json::serialize(statement.body);
  out.revision_id = policy.revision_id;
  co_return out;
}

awaitable<model::RemoveLayerVersionPermissionOutput> LambdaService::remove_layer_permission(aws::CallContext call,
                                                                                            model::RemoveLayerVersionPermissionInput in) {
  const LayerRef ref = layer_ref(call.scope, or_default(in.layer_name), or_default(in.version_number));
  co_await change_layer_policy(call, ref, [&](Policy& policy) {
    check_policy_revision(policy, in.revision_id, "GetLayerPolicy");
    remove_statement(policy, or_default(in.statement_id));
  });
  co_return model::RemoveLayerVersionPermissionOutput{};
}

awaitable<model::GetLayerVersionPolicyOutput> LambdaService::get_layer_policy(aws::CallContext call, model::GetLayerVersionPolicyInput in) {
  const LayerRef ref = layer_ref(call.scope, or_default(in.layer_name), or_default(in.version_number));
  std::optional<StoredLayerVersion> found;
  if (ref.scope.account == call.scope.account && ref.scope.region == call.scope.region) found = co_await layers_.find(ref);
  if (!found || found->value.deleted) throw no_layer(asked_for(ref));
  const Policy& policy = found->value.policy;
  if (policy.statements.empty()) throw error(kResourceNotFound, "No policy is associated with the given resource.");
  model::GetLayerVersionPolicyOutput out;
  out.policy = policy_document(policy);
  out.revision_id = policy.revision_id;
  co_return out;
}

awaitable<std::vector<LayerUse>> LambdaService::use_layers(aws::CallContext call, std::vector<std::string> arns, storage::Commit& commit) {
  if (arns.size() > kLayersMax) throw error(kInvalidParameterValue, "Cannot reference more than 5 layers.");
  std::vector<LayerUse> out;
  std::map<std::string, std::string> seen;
  for (const std::string& arn : arns) {
    const std::optional<LayerRef> ref = parse_layer_ref(call.scope, arn);
    if (!ref || ref->number == 0) {
      throw error(kValidation, fmt::format("1 validation error detected: Value '[{}]' at 'layers' failed to satisfy constraint: Member must "
          "satisfy constraint: [Member must have length less than or equal to 140, Member must have length greater than or equal to 1, Member "
          "must satisfy regular expression pattern: (arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{{12}}:layer:[a-zA-Z0-9-_]+:[0-9]+)|"
          "(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+), Member must not be null]", arn));
    }
    if (ref->scope.account != call.scope.account) {
      // Differs from AWS: nothing of other accounts, and so none of AWS's public layers, is here.
      throw error(kInvalidParameterValue, fmt::format("Layer version {} does not exist: layers of other accounts are not on this platform; "
          "publish its content with PublishLayerVersion and name that.", arn));
    }
    if (ref->scope.region != call.scope.region) {
      throw error(kInvalidParameterValue, fmt::format("Layers are not in the same region as the function. Layers are expected to be in region "
          "{}.", call.scope.region));
    }
    const std::optional<StoredLayerVersion> found = co_await layers_.find(*ref);
    if (!found || found->value.deleted) throw error(kInvalidParameterValue, fmt::format("Layer version {} does not exist.", arn));
    if (const auto [at, fresh] = seen.emplace(found->value.layer_arn(), arn); !fresh) {
      throw error(kInvalidParameterValue, fmt::format("Two different versions of the same layer are not allowed to be referenced in the same "
          "function. {} and {} are versions of the same layer.", at->second, arn));
    }
    // It must not be deleted, and collected, before the function has it.
    commit.check(layers_.key_of(*ref), found->version);
    out.push_back({arn, found->value.code});
  }
  co_return out;
}

awaitable<> LambdaService::check_unpacked_size(FunctionRecord record) {
  if (record.layers.empty()) co_return;
  std::uint64_t bytes = co_await code_.unpacked_bytes(record.scope, record.code);
  for (const LayerUse& layer : record.layers) bytes += co_await code_.unpacked_bytes(record.scope, layer.code);
  if (bytes > kUnpackedBytesMax) {
    throw error(kInvalidParameterValue, fmt::format("Function code combined with layers exceeds the maximum allowed size of {} bytes. The "
        "actual size is {} bytes.", kUnpackedBytesMax, bytes));
  }
}

// Deleted versions that no function has any more. Only at start: nothing takes a layer meanwhile.
awaitable<> LambdaService::collect_layers(aws::Scope scope) {
  std::vector<StoredLayerVersion> deleted;
  for (std::string after;;) {
    const LayerStore::Names page = co_await layers_.names(scope, after, 200);
    for (const std::string& name : page.names) {
      for (StoredLayerVersion& version : co_await layers_.versions(scope, name, 0, true)) deleted.push_back(std::move(version));
      after = name;
    }
    if (!page.more || page.names.empty()) break;
  }
  if (deleted.empty()) co_return;
  std::set<std::string> used;
  const auto note = [&](const FunctionRecord& record) { for (const LayerUse& layer : record.layers) used.insert(layer.arn); };
  for (std::string after;;) {
    const FunctionStore::Page page = co_await functions_.list(scope, after, 200);
    for (const FunctionRecord& record : page.records) {
      note(record);
      for (std::string from;;) {
        const auto versions = co_await functions_.parts(record, kVersionPart, from);
        for (const Part& part : versions.parts) {
          const auto version = parse_record(part.bytes);
          if (!version) co_return;  // not to be read: nothing is removed
          note(*version);
          from = part.qualifier;
        }
        if (!versions.more || versions.parts.empty()) break;
      }
      after = record.name;
    }
    if (!page.more || page.records.empty()) break;
  }
  for (StoredLayerVersion& version : deleted) {
    if (used.contains(version.value.arn())) continue;
    storage::Commit with;
    CodeStore::let_go(scope, version.value.code, with);  // collect() of the packages comes next
    co_await layers_.erase(std::move(version.value), version.version, std::move(with));
  }
}

}  // namespace parvis::lambda
