// platform/project.h: a project folder as `parvis dev` reads it: the template, and parvis.yaml beside it.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace parvis::platform {

// A process started with the stack and ended with it.
struct Companion {
  std::string name;
  std::string command;  // run by /bin/sh in the project's folder
};

struct Project {
  std::filesystem::path folder, template_file;
  std::vector<Companion> companions;
  std::string note;  // a line for the user: what else there was to choose from; may be empty
};

// template.yaml, template.yml or template.json of a folder. Error: a line for the user, which names templates nearby.
std::expected<std::filesystem::path, std::string> find_template(const std::filesystem::path& folder);

// `place`: a folder (template.yaml, template.yml or template.json in it) or a template file. Error: a line for the user.
std::expected<Project, std::string> load_project(const std::filesystem::path& place);

}  // namespace parvis::platform
