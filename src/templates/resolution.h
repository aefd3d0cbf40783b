// templates/resolution.h: one walk over one value, inside Evaluator. Internal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "templates/intrinsics.h"

namespace parvis::templates {

// The names inside ${…} of a text, without the literal ones (${!…}).
std::vector<std::string> sub_variables(std::string_view text);

// The value of a declared parameter: `given` or its default, checked against its type and constraints.
std::expected<json::value, Diagnostic> check_parameter(const Document& document, const std::string& name, const json::value& definition, const json::value* given);

// The value of a parameter that was fetched from Parameter Store: a list where its inner type is one.
json::value fetched_parameter(const std::string& text, std::string_view inner_type);

class Resolution {
 public:
  struct Failed {
    Diagnostic diagnostic;
  };
  struct Unknown {};  // the value hangs on one that is not there yet; thrown by lookups, or here when `probing`
  Resolution(const Evaluator& evaluator, const Lookups& lookups, bool probing = false) : evaluator_(evaluator), lookups_(lookups), probing_(probing) {}

  std::optional<json::value> value(const json::value& value, const std::string& at);  // nullopt: AWS::NoValue
  bool condition(const std::string& name, const std::string& at);
  bool test(const json::value& value, const std::string& at);  // an expression of Conditions or Rules

 private:
  [[noreturn]] void fail(const std::string& at, std::string what, std::string hint = {}) const;
  std::optional<json::value> call(std::string_view function, const json::value& argument, const std::string& at);
  std::optional<json::value> ref(const json::value& argument, const std::string& at);
  json::value get_att(const json::value& argument, const std::string& at);
  json::value sub(const json::value& argument, const std::string& at);
  json::value select(const json::value& argument, const std::string& at);
  json::value find_in_map(const json::value& argument, const std::string& at);
  json::value cidr(const json::value& argument, const std::string& at);
  json::value cidr6(const std::string& block, const json::array& parts, const std::string& at);
  json::value need(const json::value& value, const std::string& at);  // AWS::NoValue is an error here
  json::array list(const json::value& value, const std::string& at, std::size_t size_min, std::size_t size_max);
  json::array raw_list(const json::value& value, const std::string& at, std::size_t size_min, std::size_t size_max) const;
  std::string text(const json::value& value, const std::string& at);
  std::optional<bool> test_of_rules(std::string_view function, const json::value& argument, const std::string& at);
  std::string limited(std::string text, const std::string& at) const;

  const Evaluator& evaluator_;
  const Lookups& lookups_;
  const bool probing_;
  std::vector<std::string> open_;  // conditions being evaluated
};

}  // namespace parvis::templates
