// templates/stack_outputs.h: a stack's outputs, and the exports that tie stacks together. Internal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "templates/stack.h"

namespace parvis::templates {

// The Outputs section as the stack's record keeps it: [{key, value, description, export}].
std::expected<json::array, std::vector<Diagnostic>> outputs_of(const Document& document, const Evaluator& evaluator, const Lookups& lookups);
// Export names and values of all stacks but `name`.
std::map<std::string, std::string> exports_of(const std::vector<Stack>& all, std::string_view name);
// Why `stack` may not end with `outputs`: another stack imports what would vanish or change. Empty: nothing is against it.
std::string export_in_use(const std::vector<Stack>& all, const Stack& stack, const json::array& outputs);

}  // namespace parvis::templates
