#include "cli/usage_errors.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include <fmt/format.h>

namespace parvis::cli {
namespace {

// How many letters have to be added, removed, changed or swapped with their neighbour.
std::size_t distance(const std::string& from, const std::string& to) {
  std::vector<std::size_t> older, before(to.size() + 1), now(to.size() + 1);
  std::iota(before.begin(), before.end(), 0u);
  for (std::size_t i = 1; i <= from.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      now[j] = std::min({before[j] + 1, now[j - 1] + 1, before[j - 1] + (from[i - 1] != to[j - 1])});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) now[j] = std::min(now[j], older[j - 2] + 1);
    }
    older = std::exchange(before, now);
  }
  return before[to.size()];
}

const CLI::App* chosen_command(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? nullptr : chosen.front();
}

std::string unexpected(const CLI::App& command) {
  const std::vector<std::string> extras = command.remaining();
  const auto option = std::ranges::find_if(extras, [](const std::string& one) { return one.size() > 1 && one.front() == '-'; });
  if (option == extras.end()) return fmt::format("'{}' is one argument too many", extras.empty() ? "" : extras.front());
  const std::string name = option->substr(0, option->find('='));
  std::vector<std::string> names;
  for (const CLI::Option* known : command.get_options())
    for (const std::string& long_name : known->get_lnames()) names.push_back("--" + long_name);
  const std::string near = closest(name, names);
  return fmt::format("{} is not an option of this command{}", name, near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

}  // namespace

std::string closest(const std::string& name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t fewest = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t wrong = distance(name, candidate);
    if (wrong >= fewest) continue;
    fewest = wrong;
    best = candidate;
  }
  return best;
}

int check_command_name(const CLI::App& app, const std::string& first) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  if (first.starts_with('-') || std::ranges::find(names, first) != names.end()) return 0;
  const std::string near = closest(first, names);
  std::fprintf(stderr, "parvis: there is no command '%s'; %s`parvis help` lists them\n", first.c_str(), near.empty() ? "" : fmt::format("did you mean {}? ", near).c_str());
  return 2;
}

int report_usage(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // help and version
  const CLI::App* command = chosen_command(app);
  std::string what = error.what();
  if (command != nullptr && dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) what = unexpected(*command);
  while (what.ends_with('\n')) what.pop_back();
  const std::string name = command != nullptr ? "parvis " + command->get_name() : "parvis";
  std::fprintf(stderr, "%s: %s; `%s --help` lists what there is\n", name.c_str(), what.c_str(), name.c_str());
  return 2;
}

}  // namespace parvis::cli
