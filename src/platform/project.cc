#include "platform/project.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include "core/file.h"

namespace parvis::platform {
namespace fs = std::filesystem;
namespace {

std::string at(const fs::path& file, const YAML::Node& node) {
  return fmt::format("{}:{}:{}", file.string(), node.Mark().line + 1, node.Mark().column + 1);
}

std::expected<std::vector<Companion>, std::string> read_companions(const fs::path& file) {
  std::vector<Companion> companions;
  try {
    const YAML::Node root = YAML::LoadFile(file.string());
    for (const auto& entry : root) {
      if (entry.first.as<std::string>() != "companions")
        return std::unexpected(fmt::format("{}: unknown key '{}'; this file may hold only 'companions'", at(file, entry.first),
                                           entry.first.as<std::string>()));
    }
    for (const auto& node : root["companions"]) {
      for (const auto& entry : node) {
        const auto key = entry.first.as<std::string>();
        if (key != "name" && key != "command")
          return std::unexpected(fmt::format("{}: unknown key '{}'; a companion has 'name' and 'command'", at(file, entry.first), key));
      }
      if (!node["name"] || !node["command"])
        return std::unexpected(fmt::format("{}: a companion needs 'name' and 'command'", at(file, node)));
      companions.push_back({node["name"].as<std::string>(), node["command"].as<std::string>()});
    }
  } catch (const YAML::Exception& error) {
    return std::unexpected(fmt::format("{}:{}:{}: {}", file.string(), error.mark.line + 1, error.mark.column + 1, error.msg));
  }
  return companions;
}

constexpr std::array kNames = {"template.yaml", "template.yml", "template.json"};

bool has_resources(const fs::path& file) {
  const std::string ending = file.extension().string();
  return (ending == ".yaml" || ending == ".yml" || ending == ".json") && read_file(file).find("Resources") != std::string::npos;
}

// Files that the user may have meant: in the folder under another name, one level below it, or above it.
std::vector<std::string> templates_near(const fs::path& folder) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_regular_file(ignored) && has_resources(entry.path())) found.push_back(entry.path().string());
    if (!entry.is_directory(ignored)) continue;
    for (const char* name : kNames)
      if (fs::is_regular_file(entry.path() / name, ignored)) found.push_back((entry.path() / name).string());
  }
  fs::path above = fs::absolute(folder).lexically_normal();
  if (!above.has_filename()) above = above.parent_path();
  for (above = above.parent_path(); found.empty() && above != above.root_path(); above = above.parent_path())
    for (const char* name : kNames)
      if (fs::is_regular_file(above / name, ignored)) found.push_back((above / name).string());
  std::ranges::sort(found);
  if (found.size() > kShown) found.resize(kShown);
  return found;
}

}  // namespace

std::expected<fs::path, std::string> find_template(const fs::path& folder) {
  std::error_code ignored;
  for (const char* name : kNames)
    if (fs::is_regular_file(folder / name, ignored)) return folder / name;
  const auto near = templates_near(folder);
  return std::unexpected(fmt::format("{} has no template.yaml, template.yml or template.json; {}", folder.string(),
                                     near.empty() ? "name a project folder or a template" : fmt::format("did you mean {}?", fmt::join(near, " or "))));
}

std::expected<Project, std::string> load_project(const fs::path& place) {
  std::error_code ignored;
  Project project;
  if (fs::is_regular_file(place, ignored)) {
    project.template_file = fs::absolute(place);
  } else if (fs::is_directory(place, ignored)) {
    const auto found = find_template(place);
    if (!found) return std::unexpected(found.error());
    project.template_file = fs::absolute(*found);
    for (const char* name : kNames)
      if (project.note.empty() && fs::is_regular_file(place / name, ignored) && place / name != *found)
        project.note = fmt::format("{} has {} as well; {} is used, name the other one to run it", place.string(), name, found->filename().string());
  } else {
    return std::unexpected(fmt::format("{}: no such file or folder", place.string()));
  }
  project.template_file = project.template_file.lexically_normal();
  project.folder = project.template_file.parent_path();
  if (const fs::path extra = project.folder / "parvis.yaml"; fs::is_regular_file(extra, ignored)) {
    auto companions = read_companions(extra);
    if (!companions) return std::unexpected(std::move(companions.error()));
    project.companions = std::move(*companions);
  }
  return project;
}

}  // namespace parvis::platform
