#include "platform/project.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

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

}  // namespace

std::expected<Project, std::string> load_project(const fs::path& place) {
  std::error_code ignored;
  Project project;
  if (fs::is_regular_file(place, ignored)) {
    project.template_file = fs::absolute(place);
  } else if (fs::is_directory(place, ignored)) {
    for (const char* name : {"template.yaml", "template.yml", "template.json"})
      if (fs::is_regular_file(place / name, ignored)) {
        project.template_file = fs::absolute(place / name);
        break;
      }
    if (project.template_file.empty())
      return std::unexpected(fmt::format("{} has no template.yaml, template.yml or template.json; name a project folder or a "
                                         "template, or use --empty", place.string()));
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
