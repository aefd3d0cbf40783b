#include "aws/manifest.h"

#include <algorithm>

#include <fmt/format.h>

#include "aws/service_style.h"

namespace parvis::aws {
namespace {

constexpr std::size_t kWarningsMax = 20;    // per call
constexpr std::size_t kValueShownMax = 100;  // bytes

// The value as a manifest writes it; empty for what has no one text.
std::string text_of(const Shape& shape, const void* value) {
  switch (shape.kind) {
    case Kind::kString: return *static_cast<const std::string*>(value);
    case Kind::kBoolean: return *static_cast<const bool*>(value) ? "true" : "false";
    case Kind::kInteger: return fmt::format("{}", *static_cast<const int*>(value));
    case Kind::kLong: return fmt::format("{}", *static_cast<const std::int64_t*>(value));
    case Kind::kList: return shape.list->size(value) == 0 ? "[]" : "";
    case Kind::kMap: return shape.map->size(value) == 0 ? "{}" : "";
    default: return "";
  }
}

struct Walk {
  const OperationModel& op;
  std::vector<std::string>& warnings;

  void judge(const MemberRule& rule, const Shape& shape, const void* value) {
    const std::string text = text_of(shape, value);
    const ValueRule* special = nullptr;
    for (const ValueRule& candidate : rule.values) {
      if (candidate.value == text) special = &candidate;
    }
    const Disposition disposition = special ? special->disposition : rule.disposition;
    if (disposition != Disposition::kRefused && disposition != Disposition::kWarned) return;
    const bool scalar = !text.empty() && shape.kind != Kind::kList && shape.kind != Kind::kMap && !shape.sensitive;
    const std::string named = scalar ? fmt::format("{} '{}'", rule.path, text.substr(0, kValueShownMax)) : std::string(rule.path);
    const std::string_view note = special ? special->note : rule.note;
    if (disposition == Disposition::kRefused) {
      throw ApiError(style_of(op.service, op.service_model->protocol).validation,
                     fmt::format("Parvis does not support {} in {}: {}", named, op.name, note));
    }
    std::string warning = fmt::format("{} is accepted without effect in {}: {}", named, op.name, note);
    // A list's elements say the same thing many times.
    if (warnings.size() < kWarningsMax && std::ranges::find(warnings, warning) == warnings.end()) warnings.push_back(std::move(warning));
  }

  // `rest` is what is left of the rule's path: "Name", "Name.rest", "Name[]…" or "Name{}…".
  void members(const MemberRule& rule, std::string_view rest, const Shape& structure, const void* owner) {
    const std::string_view name = rest.substr(0, rest.find_first_of(".[{"));
    const auto member = std::ranges::find(structure.members, name, &Member::name);
    if (member == structure.members.end()) return;
    if (const void* value = member->value_in(owner)) below(rule, rest.substr(name.size()), *member->shape, value);
  }

  void below(const MemberRule& rule, std::string_view rest, const Shape& shape, const void* value) {
    if (rest.empty()) return judge(rule, shape, value);
    if (rest.starts_with('.')) return members(rule, rest.substr(1), shape, value);
    const std::string_view inside = rest.substr(2);
    if (shape.kind == Kind::kList) {
      for (std::size_t i = 0; i < shape.list->size(value); ++i) below(rule, inside, *shape.element, shape.list->at(value, i));
    } else if (shape.kind == Kind::kMap) {
      struct Context { Walk* walk; const MemberRule& rule; std::string_view inside; const Shape& element; } context{this, rule, inside, *shape.element};
      shape.map->each(value, &context, [](void* context, const std::string&, const void* element) {
        auto& at = *static_cast<Context*>(context);
        at.walk->below(at.rule, at.inside, at.element, element);
      });
    }
  }
};

}  // namespace

void apply_manifest(const OperationModel& op, const void* input, std::vector<std::string>& warnings) {
  Walk walk{op, warnings};
  for (const MemberRule& rule : op.rules) walk.members(rule, rule.path, *op.input, input);
}

}  // namespace parvis::aws
