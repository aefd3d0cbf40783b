// Labels and tags of parameters.
#include <algorithm>

#include <fmt/format.h>

#include "services/ssm/errors.h"
#include "services/ssm/operations.h"

namespace parvis::ssm {
namespace {

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

aws::ApiError not_found(const std::string& name) { return {errors::kParameterNotFound, fmt::format("Parameter {} not found.", name)}; }

void check_version(const ParameterRecord& record, std::uint64_t version) {
  if (version < record.oldest || version > record.latest.version) {
    throw aws::ApiError(errors::kParameterVersionNotFound, fmt::format("Systems Manager could not find version {} of {}. Verify the version and try again.", version, record.name));
  }
}

void check_type(const std::optional<std::string>& type) {
  if (type != "Parameter") {
    throw aws::ApiError(errors::kInvalidResourceType, fmt::format("The resource type {} is not available on this platform: only Parameter is.", or_default(type)));
  }
}

aws::ApiError no_such_resource(const std::string& id) {
  return {errors::kInvalidResourceId, fmt::format("The resource ID \"{}\" is not valid. Verify the ID and try again.", id)};
}

}  // namespace

void put_tags(ParameterRecord& record, const std::vector<model::Tag>& tags, bool reserved) {
  for (const model::Tag& tag : tags) {
    const std::string key = or_default(tag.key);
    if (!reserved && key.starts_with("aws:")) throw aws::ApiError(kValidation, "Tag keys that begin with aws: are reserved.");
    record.tags[key] = or_default(tag.value);
  }
  const auto own = std::ranges::count_if(record.tags, [](const auto& tag) { return !tag.first.starts_with("aws:"); });
  if (own > static_cast<std::ptrdiff_t>(kTagsMax)) {
    throw aws::ApiError(errors::kTooManyTagsError, fmt::format("The Targets parameter includes too many tags. A parameter can have at most {}.", kTagsMax));
  }
}

awaitable<model::LabelParameterVersionOutput> SsmService::label(aws::CallContext call, model::LabelParameterVersionInput in) {
  model::LabelParameterVersionOutput out;
  out.invalid_labels.emplace();
  std::vector<std::string> good;
  for (const std::string& label : *in.labels) (valid_label(label) ? good : *out.invalid_labels).push_back(label);
  const auto change = [&](ParameterRecord& record) {
    const std::uint64_t version = in.parameter_version ? static_cast<std::uint64_t>(*in.parameter_version) : record.latest.version;
    check_version(record, version);
    for (const std::string& label : good) record.labels[label] = version;  // it moves from where it was
    if (std::ranges::count_if(record.labels, [&](const auto& label) { return label.second == version; }) > static_cast<std::ptrdiff_t>(kLabelsMax)) {
      throw aws::ApiError(errors::kParameterVersionLabelLimitExceeded, "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.");
    }
    out.parameter_version = static_cast<std::int64_t>(version);
  };
  if (!co_await parameters_.modify(call.scope, or_default(in.name), change)) throw not_found(or_default(in.name));
  co_return out;
}

awaitable<model::UnlabelParameterVersionOutput> SsmService::unlabel(aws::CallContext call, model::UnlabelParameterVersionInput in) {
  model::UnlabelParameterVersionOutput out;
  const auto version = static_cast<std::uint64_t>(or_default(in.parameter_version));
  const auto change = [&](ParameterRecord& record) {
    check_version(record, version);
    out.removed_labels.emplace();
    out.invalid_labels.emplace();
    for (const std::string& label : *in.labels) {
      const auto found = record.labels.find(label);
      if (found == record.labels.end() || found->second != version) {
        out.invalid_labels->push_back(label);
      } else {
        record.labels.erase(found);
        out.removed_labels->push_back(label);
      }
    }
  };
  if (!co_await parameters_.modify(call.scope, or_default(in.name), change)) throw not_found(or_default(in.name));
  co_return out;
}

awaitable<model::AddTagsToResourceOutput> SsmService::tag(aws::CallContext call, model::AddTagsToResourceInput in) {
  check_type(in.resource_type);
  const bool reserved = call.origin == "template";
  const auto change = [&](ParameterRecord& record) { put_tags(record, *in.tags, reserved); };
  if (!co_await parameters_.modify(call.scope, or_default(in.resource_id), change)) throw no_such_resource(or_default(in.resource_id));
  co_return model::AddTagsToResourceOutput{};
}

awaitable<model::RemoveTagsFromResourceOutput> SsmService::untag(aws::CallContext call, model::RemoveTagsFromResourceInput in) {
  check_type(in.resource_type);
  const auto change = [&](ParameterRecord& record) {
    for (const std::string& key : *in.tag_keys) {
      if (!key.starts_with("aws:")) record.tags.erase(key);
    }
  };
  if (!co_await parameters_.modify(call.scope, or_default(in.resource_id), change)) throw no_such_resource(or_default(in.resource_id));
  co_return model::RemoveTagsFromResourceOutput{};
}

awaitable<model::ListTagsForResourceOutput> SsmService::list_tags(aws::CallContext call, model::ListTagsForResourceInput in) {
  check_type(in.resource_type);
  const auto found = co_await parameters_.find(call.scope, or_default(in.resource_id));
  if (!found) throw no_such_resource(or_default(in.resource_id));
  model::ListTagsForResourceOutput out;
  out.tag_list.emplace();
  for (const auto& [key, value] : found->record.tags) {
    model::Tag& tag = out.tag_list->emplace_back();
    tag.key = key;
    tag.value = value;
  }
  co_return out;
}

}  // namespace parvis::ssm
