// cli/template_commands.h: `parvis validate` and `parvis transform`. Errors go to stderr as file:line:col: text.
#pragma once

#include <string>

namespace parvis::cli {

int validate_template(const std::string& file, const std::string& region);   // 0, or 1 with errors
int transform_template(const std::string& file, const std::string& region);  // the processed template as JSON on stdout

}  // namespace parvis::cli
