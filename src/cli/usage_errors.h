// cli/usage_errors.h: wrong arguments, told by name: what was wrong, in which command, what was probably meant.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace parvis::cli {

// The candidate that `name` was probably meant to be: at most a third of its letters are wrong. Empty: none is near.
std::string closest(const std::string& name, const std::vector<std::string>& candidates);

// Prints what is wrong with the first argument, and gives 2; or 0: it is a command, or an option.
int check_command_name(const CLI::App& app, const std::string& first);
// Prints what CLI11 found, or the help that was asked for. Gives the exit code.
int report_usage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace parvis::cli
