#include "aws/resource_type.h"

#include <stdexcept>

#include "core/hash.h"

namespace parvis::aws {

std::string ResourceRequest::generated_name(std::size_t length_max) const {
  // Twelve characters that depend on the token alone, so that a retry makes the same name.
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  constexpr std::size_t kSuffix = 12;
  const Sha256Digest digest = sha256(stack_id + "\n" + logical_id + "\n" + token);
  std::string suffix;
  for (std::size_t i = 0; i < kSuffix; ++i) suffix += kAlphabet[digest[i] % kAlphabet.size()];
  if (length_max <= kSuffix) return suffix.substr(0, length_max);
  // The logical id keeps its room before the stack's name does, as CloudFormation shortens: the longer part gives way.
  std::string stack = stack_name, id = logical_id;
  while (stack.size() + id.size() + kSuffix + 2 > length_max && stack.size() + id.size() > 0) {
    (stack.size() >= id.size() ? stack : id).pop_back();
  }
  std::string name = stack;
  for (const std::string& part : {id, suffix}) {
    if (!name.empty() && !part.empty()) name += '-';
    name += part;
  }
  return name;
}

void ResourceTypes::add(std::unique_ptr<ResourceType> type) {
  std::string name(type->name());
  auto [at, fresh] = types_.try_emplace(std::move(name), std::move(type));
  if (!fresh) throw std::logic_error("resource type " + at->first + " is offered twice");
}

namespace {
// At most 60 letters, digits and _@- behind Custom::. Source: CloudFormation User Guide, AWS::CloudFormation::CustomResource.
std::string_view offered_name(std::string_view name) {
  constexpr std::string_view kCustom = "Custom::";
  if (!name.starts_with(kCustom) || name.size() == kCustom.size() || name.size() > 60) return name;
  for (const char c : name.substr(kCustom.size())) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '@' || c == '-';
    if (!good) return name;
  }
  return "AWS::CloudFormation::CustomResource";
}
}  // namespace

const ResourceType* ResourceTypes::find(std::string_view name) const {
  const auto at = types_.find(offered_name(name));
  return at == types_.end() ? nullptr : at->second.get();
}

ResourceType* ResourceTypes::find(std::string_view name) {
  const auto at = types_.find(offered_name(name));
  return at == types_.end() ? nullptr : at->second.get();
}

std::vector<std::string_view> ResourceTypes::names() const {
  std::vector<std::string_view> names;
  for (const auto& [name, type] : types_) names.push_back(name);
  return names;
}

}  // namespace parvis::aws
