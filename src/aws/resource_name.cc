#include "aws/resource_name.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace parvis::aws {
namespace {

// Where an operation's input names its resource: one text, a map whose keys are names, or a list of structures that hold it.
struct Place {
  enum class Kind { kNone, kText, kKeys, kNested } kind = Kind::kNone;
  const Member* member = nullptr;
};

constexpr std::array<std::string_view, 7> kNames{"TableName", "FunctionName", "Bucket", "logGroupName", "logGroupIdentifier", "ResourceArn", "StackName"};

bool is_name(const Member& member) {
  return member.shape->kind == Kind::kString && std::ranges::find(kNames, member.name) != kNames.end();
}

Place find_place(const OperationModel& op) {
  for (const Member& member : op.input->members)
    if (is_name(member)) return {Place::Kind::kText, &member};
  for (const Member& member : op.input->members) {
    if (member.name == "RequestItems" && member.shape->kind == Kind::kMap) return {Place::Kind::kKeys, &member};
    if (member.name == "TransactItems" && member.shape->kind == Kind::kList) return {Place::Kind::kNested, &member};
  }
  return {};
}

void add(std::string_view text, std::vector<std::string>& out) {
  std::string name = plain_resource_name(text);
  if (!name.empty() && std::ranges::find(out, name) == out.end()) out.push_back(std::move(name));
}

// The named members of a structure, or of the structures in it: a transaction's Put, Update, Delete, ConditionCheck and Get.
void add_nested(const Shape& shape, const void* value, int depth, std::vector<std::string>& out) {
  if (shape.kind != Kind::kStructure) return;
  for (const Member& member : shape.members) {
    const void* found = member.value_in(value);
    if (!found) continue;
    if (is_name(member)) add(*static_cast<const std::string*>(found), out);
    else if (depth > 0) add_nested(*member.shape, found, depth - 1, out);
  }
}

const Place& place_of(const OperationModel& op) {
  thread_local std::unordered_map<const OperationModel*, Place> places;
  const auto [found, fresh] = places.try_emplace(&op);
  if (fresh) found->second = find_place(op);
  return found->second;
}

}  // namespace

std::string plain_resource_name(std::string_view text) {
  if (text.starts_with("arn:")) {
    // Sixth part: "table/music/index/x", "function:f:live", "log-group:/a/b:*", "stack/name/id"; a bucket's is its name.
    std::size_t at = 0;
    for (int colon = 0; colon < 5 && at != std::string_view::npos; ++colon) at = text.find(':', at + (colon ? 1u : 0u));
    if (at == std::string_view::npos) return std::string(text);
    text.remove_prefix(at + 1);
    if (text.starts_with("log-group:")) {
      text.remove_prefix(10);
      return std::string(text.substr(0, text.find(':')));
    }
    if (const auto kind = text.find_first_of(":/"); kind != std::string_view::npos) text.remove_prefix(kind + 1);
    return std::string(text.substr(0, text.find_first_of(":/")));
  }
  if (text.starts_with('/')) return std::string(text);  // a log group
  // "function:qualifier" and "account:function:name"
  if (const auto function = text.find(":function:"); function != std::string_view::npos) text.remove_prefix(function + 10);
  return std::string(text.substr(0, text.find(':')));
}

std::vector<std::string> resource_names(const OperationModel& op, const void* input) {
  const Place& place = place_of(op);
  std::vector<std::string> out;
  const void* value = place.member ? place.member->value_in(input) : nullptr;
  if (!value) return out;
  switch (place.kind) {
    case Place::Kind::kNone: break;
    case Place::Kind::kText: add(*static_cast<const std::string*>(value), out); break;
    case Place::Kind::kKeys:
      place.member->shape->map->each(value, &out, [](void* to, const std::string& key, const void*) { add(key, *static_cast<std::vector<std::string>*>(to)); });
      break;
    case Place::Kind::kNested: {
      const ListOps& list = *place.member->shape->list;
      for (std::size_t i = 0; i < list.size(value); ++i) add_nested(*place.member->shape->element, list.at(value, i), 1, out);
      break;
    }
  }
  return out;
}

}  // namespace parvis::aws
