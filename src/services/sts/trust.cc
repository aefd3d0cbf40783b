#include "services/sts/trust.h"

#include <functional>
#include <optional>
#include <string>

namespace parvis::sts {
namespace {
namespace json = boost::json;

// Whether a value, or one of a list of values, is a string that `test` takes.
bool any_text(const json::value* value, const std::function<bool(std::string_view)>& test) {
  if (value == nullptr) return false;
  if (value->is_string()) return test(std::string_view(value->get_string()));
  if (!value->is_array()) return false;
  for (const auto& item : value->get_array())
    if (item.is_string() && test(std::string_view(item.get_string()))) return true;
  return false;
}

bool names_action(const json::object& statement) {
  return any_text(statement.if_contains("Action"), [](std::string_view action) {
    return action == "*" || action == "sts:*" || action == "sts:AssumeRole";
  });
}

bool names_principal(const json::object& statement, const Assumption& who) {
  const auto* principal = statement.if_contains("Principal");
  if (principal == nullptr) return false;
  if (principal->is_string()) return principal->get_string() == "*";
  if (!principal->is_object()) return false;
  const std::string root = "arn:aws:iam::" + std::string(who.account) + ":root";
  return any_text(principal->get_object().if_contains("AWS"), [&](std::string_view name) {
    return name == "*" || name == who.account || name == root || name == who.principal_arn;
  });
}

// nullopt: a condition that is not read.
std::optional<bool> condition_holds(const json::object& statement, const Assumption& who) {
  const auto* condition = statement.if_contains("Condition");
  if (condition == nullptr) return true;
  if (!condition->is_object() || condition->get_object().size() != 1) return std::nullopt;
  const auto* equals = condition->get_object().if_contains("StringEquals");
  if (equals == nullptr || !equals->is_object() || equals->get_object().size() != 1) return std::nullopt;
  const auto* id = equals->get_object().if_contains("sts:ExternalId");
  if (id == nullptr) return std::nullopt;
  return any_text(id, [&](std::string_view wanted) { return !who.external_id.empty() && wanted == who.external_id; });
}

enum class Verdict { kNone, kAllow, kDeny };

Verdict verdict_of(const json::object& statement, const Assumption& who) {
  const auto* effect = statement.if_contains("Effect");
  const bool deny = effect != nullptr && effect->is_string() && effect->get_string() == "Deny";
  const bool unread = statement.contains("NotPrincipal") || statement.contains("NotAction");
  if (deny && unread) return Verdict::kDeny;
  if (unread || !names_action(statement) || !names_principal(statement, who)) return Verdict::kNone;
  const auto holds = condition_holds(statement, who);
  if (deny) return holds.value_or(true) ? Verdict::kDeny : Verdict::kNone;
  return effect != nullptr && effect->is_string() && effect->get_string() == "Allow" && holds.value_or(false) ? Verdict::kAllow : Verdict::kNone;
}

}  // namespace

bool trusts(const json::value& policy, const Assumption& who) {
  if (!policy.is_object()) return false;
  const auto* statements = policy.get_object().if_contains("Statement");
  if (statements == nullptr) return false;
  json::array all = statements->is_array() ? statements->get_array() : json::array();
  if (statements->is_object()) all.push_back(*statements);
  bool allowed = false;
  for (const auto& statement : all) {
    if (!statement.is_object()) continue;
    const Verdict verdict = verdict_of(statement.get_object(), who);
    if (verdict == Verdict::kDeny) return false;
    allowed = allowed || verdict == Verdict::kAllow;
  }
  return allowed;
}

}  // namespace parvis::sts
