#include <algorithm>

#include <fmt/format.h>

#include "core/hash.h"
#include "core/time_format.h"
#include "services/ssm/errors.h"
#include "services/ssm/operations.h"
#include "services/ssm/parameter_filter.h"

namespace parvis::ssm {
namespace {

template <class T>
T or_default(const std::optional<T>& value, T fallback = {}) { return value ? *value : fallback; }

aws::ApiError not_found(const std::string& name) {
  // Differs from AWS: the service sends this error without a message; the name helps whoever reads it.
  return {errors::kParameterNotFound, fmt::format("Parameter {} not found.", name)};
}

// The position of a list is the last name given, kept from being read as one.
std::string after(const std::optional<std::string>& token) {
  if (!token) return {};
  auto name = base64url_decode(*token);
  if (!name || name->empty()) throw aws::ApiError(errors::kInvalidNextToken, "The specified token isn't valid.");
  return std::move(*name);
}

std::optional<std::string> text_or_absent(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

model::ParameterMetadata metadata(const aws::Scope& scope, const ParameterRecord& record) {
  const ParameterVersion& v = record.latest;
  model::ParameterMetadata out;
  out.name = record.name;
  out.arn = parameter_arn(scope, record.name);
  out.type = v.type;
  out.key_id = text_or_absent(v.key_id);
  out.last_modified_date = aws::Timestamp{to_epoch_seconds(v.modified)};
  out.last_modified_user = text_or_absent(v.modified_by);
  out.description = text_or_absent(v.description);
  out.allowed_pattern = text_or_absent(v.allowed_pattern);
  out.version = static_cast<std::int64_t>(v.version);
  out.tier = v.tier;
  out.policies.emplace();
  out.data_type = v.data_type;
  return out;
}

// The oldest form of filters, without options.
std::vector<ParameterFilter> old_filters(const std::optional<std::vector<model::ParametersFilter>>& given) {
  std::vector<ParameterFilter> out;
  if (!given) return out;
  for (const auto& filter : *given) {
    out.push_back({.key = or_default(filter.key), .option = filter.key == "Name" ? "BeginsWith" : "Equals", .values = or_default(filter.values)});
  }
  return out;
}

}  // namespace

void SsmService::bind(aws::Registry& registry) {
  const auto bind = [&]<class Op>(Op, auto method) {
    registry.bind<Op>([this, method](aws::CallContext call, typename Op::Input in) { return (this->*method)(std::move(call), std::move(in)); });
  };
  bind(model::PutParameter{}, &SsmService::put);
  bind(model::GetParameter{}, &SsmService::get);
  bind(model::GetParameters{}, &SsmService::get_many);
  bind(model::GetParametersByPath{}, &SsmService::get_by_path);
  bind(model::GetParameterHistory{}, &SsmService::history);
  bind(model::DescribeParameters{}, &SsmService::describe);
  bind(model::DeleteParameter{}, &SsmService::remove);
  bind(model::DeleteParameters{}, &SsmService::remove_many);
  bind(model::LabelParameterVersion{}, &SsmService::label);
  bind(model::UnlabelParameterVersion{}, &SsmService::unlabel);
  bind(model::AddTagsToResource{}, &SsmService::tag);
  bind(model::RemoveTagsFromResource{}, &SsmService::untag);
  bind(model::ListTagsForResource{}, &SsmService::list_tags);
}

awaitable<std::optional<ParameterStore::Found>> SsmService::find(aws::Scope scope, Reference reference) {
  // "parameter/a" is the ARN of "a" and of "/a".
  if (reference.from_arn && reference.name.find('/', 1) == std::string::npos) {
    auto plain = co_await parameters_.find(scope, reference.name.substr(1));
    if (plain) co_return plain;
  }
  co_return co_await parameters_.find(scope, reference.name);
}

awaitable<SsmService::Named> SsmService::look_up(aws::Scope scope, std::string text) {
  const Reference reference = parse_reference(scope, text);
  auto found = co_await find(scope, reference);
  if (!found) throw not_found(reference.name);
  Named out{.record = std::move(found->record), .version = {}, .selector = reference.selector.empty() ? "" : ":" + reference.selector};
  std::optional<std::uint64_t> number = out.record.latest.version;
  if (!reference.selector.empty()) {
    number = reference.version();
    if (const auto label = out.record.labels.find(reference.selector); !number && label != out.record.labels.end()) number = label->second;
    if (!number) {
      throw aws::ApiError(errors::kParameterVersionNotFound, fmt::format("Systems Manager could not find label {} for parameter {}. Verify the label and try again.",
          reference.selector, reference.name));
    }
  }
  std::optional<ParameterVersion> version;
  if (*number == out.record.latest.version) version = out.record.latest;
  else version = co_await parameters_.version(scope, out.record.id, *number);
  if (!version) {
    throw aws::ApiError(errors::kParameterVersionNotFound, fmt::format("Systems Manager could not find version {} of {}. Verify the version and try again.",
        *number, reference.name));
  }
  out.version = std::move(*version);
  co_return out;
}

model::Parameter SsmService::shown(const aws::Scope& scope, const Named& found, bool decrypt) const {
  const ParameterVersion& v = found.version;
  model::Parameter out;
  out.name = found.record.name;
  out.arn = parameter_arn(scope, found.record.name);
  out.type = v.type;
  out.value = v.type == "SecureString" && decrypt ? parameters_.open(v.value, *out.arn) : v.value;
  out.version = static_cast<std::int64_t>(v.version);
  out.selector = text_or_absent(found.selector);
  out.last_modified_date = aws::Timestamp{to_epoch_seconds(v.modified)};
  out.data_type = v.data_type;
  return out;
}

awaitable<model::GetParameterOutput> SsmService::get(aws::CallContext call, model::GetParameterInput in) {
  const Named found = co_await look_up(call.scope, or_default(in.name));
  model::GetParameterOutput out;
  out.parameter = shown(call.scope, found, or_default(in.with_decryption));
  co_return out;
}

awaitable<model::GetParametersOutput> SsmService::get_many(aws::CallContext call, model::GetParametersInput in) {
  model::GetParametersOutput out;
  out.parameters.emplace();
  out.invalid_parameters.emplace();
  std::vector<std::string> asked;
  for (const std::string& name : *in.names) {
    if (std::ranges::find(asked, name) != asked.end()) continue;
    asked.push_back(name);
    std::optional<Named> found;
    try {
      found = co_await look_up(call.scope, name);
    } catch (const aws::ApiError& failed) {
      if (failed.fault() == aws::Fault::kServer) throw;
    }
    if (found) out.parameters->push_back(shown(call.scope, *found, or_default(in.with_decryption)));
    else out.invalid_parameters->push_back(name);
  }
  co_return out;
}

awaitable<model::GetParametersByPathOutput> SsmService::get_by_path(aws::CallContext call, model::GetParametersByPathInput in) {
  const std::string path = or_default(in.path);
  check_path(path);
  const auto filters = make_filters(in.parameter_filters, true);
  const auto limit = static_cast<std::size_t>(or_default(in.max_results, 10));
  std::string at = after(in.next_token), prefix = path;
  while (prefix.ends_with('/')) prefix.pop_back();
  model::GetParametersByPathOutput out;
  out.parameters.emplace();
  for (bool more = true; more;) {
    const auto page = co_await parameters_.list(call.scope, prefix, at);
    more = page.more;
    for (const ParameterRecord& record : page.records) {
      if (!lies_under(record.name, path, or_default(in.recursive))) continue;
      if (!std::ranges::all_of(filters, [&](const ParameterFilter& filter) { return filter.matches(record); })) continue;
      if (out.parameters->size() == limit) {
        out.next_token = base64url_encode(*out.parameters->back().name);
        co_return out;
      }
      Named found{record, record.latest, ""};
      for (const ParameterFilter& filter : filters) {  // a label asks for the version that carries it
        if (filter.key != "Label") continue;
        const std::uint64_t version = record.labels.at(*std::ranges::find_if(filter.values, [&](const auto& value) { return record.labels.contains(value); }));
        auto old = co_await parameters_.version(call.scope, record.id, version);
        if (old) found.version = std::move(*old);
      }
      out.parameters->push_back(shown(call.scope, found, or_default(in.with_decryption)));
    }
    if (!page.records.empty()) at = page.records.back().name;
  }
  co_return out;
}

awaitable<model::DescribeParametersOutput> SsmService::describe(aws::CallContext call, model::DescribeParametersInput in) {
  if (in.filters && in.parameter_filters) throw aws::ApiError(kValidation, "Filters and ParameterFilters cannot be used together.");
  const auto filters = in.filters ? old_filters(in.filters) : make_filters(in.parameter_filters, false);
  const auto limit = static_cast<std::size_t>(or_default(in.max_results, 50));
  std::string at = after(in.next_token);
  model::DescribeParametersOutput out;
  out.parameters.emplace();
  for (bool more = true; more;) {
    const auto page = co_await parameters_.list(call.scope, "", at);
    more = page.more;
    for (const ParameterRecord& record : page.records) {
      if (!std::ranges::all_of(filters, [&](const ParameterFilter& filter) { return filter.matches(record); })) continue;
      if (out.parameters->size() == limit) {
        out.next_token = base64url_encode(*out.parameters->back().name);
        co_return out;
      }
      out.parameters->push_back(metadata(call.scope, record));
    }
    if (!page.records.empty()) at = page.records.back().name;
  }
  co_return out;
}

awaitable<model::GetParameterHistoryOutput> SsmService::history(aws::CallContext call, model::GetParameterHistoryInput in) {
  const Reference reference = parse_reference(call.scope, or_default(in.name));
  const auto found = co_await find(call.scope, reference);
  if (!found) throw not_found(reference.name);
  const ParameterRecord& record = found->record;
  const std::string arn = parameter_arn(call.scope, record.name);
  const auto limit = static_cast<std::size_t>(or_default(in.max_results, 50));
  const std::string last = after(in.next_token);
  const std::uint64_t from = last.empty() ? 0 : Reference{.name = {}, .selector = last}.version().value_or(0);
  model::GetParameterHistoryOutput out;
  out.parameters.emplace();
  for (const ParameterVersion& v : co_await parameters_.versions(call.scope, record)) {
    if (v.version <= from) continue;
    if (out.parameters->size() == limit) {
      out.next_token = base64url_encode(fmt::format("{}", *out.parameters->back().version));
      break;
    }
    model::ParameterHistory& entry = out.parameters->emplace_back();
    entry.name = record.name;
    entry.type = v.type;
    entry.key_id = text_or_absent(v.key_id);
    entry.last_modified_date = aws::Timestamp{to_epoch_seconds(v.modified)};
    entry.last_modified_user = text_or_absent(v.modified_by);
    entry.description = text_or_absent(v.description);
    entry.value = v.type == "SecureString" && or_default(in.with_decryption) ? parameters_.open(v.value, arn) : v.value;
    entry.allowed_pattern = text_or_absent(v.allowed_pattern);
    entry.version = static_cast<std::int64_t>(v.version);
    entry.labels.emplace();
    for (const auto& [label, version] : record.labels) if (version == v.version) entry.labels->push_back(label);
    entry.tier = v.tier;
    entry.policies.emplace();
    entry.data_type = v.data_type;
  }
  co_return out;
}

awaitable<model::DeleteParameterOutput> SsmService::remove(aws::CallContext call, model::DeleteParameterInput in) {
  if (!co_await parameters_.remove(call.scope, or_default(in.name))) throw not_found(or_default(in.name));
  co_return model::DeleteParameterOutput{};
}

awaitable<model::DeleteParametersOutput> SsmService::remove_many(aws::CallContext call, model::DeleteParametersInput in) {
  model::DeleteParametersOutput out;
  out.deleted_parameters.emplace();
  out.invalid_parameters.emplace();
  for (const std::string& name : *in.names) {
    (co_await parameters_.remove(call.scope, name) ? out.deleted_parameters : out.invalid_parameters)->push_back(name);
  }
  co_return out;
}

}  // namespace parvis::ssm
