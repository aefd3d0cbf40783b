// platform/dev_session.h: one project under `parvis dev`: read, bundle, transform, deploy; again after every edit.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "platform/bundler.h"
#include "platform/platform.h"
#include "platform/project.h"

namespace parvis::platform {

class DevSession {  // one thread; `platform` outlives it
 public:
  DevSession(Platform& platform, Project project, DevOptions dev, Options options);
  // Deploys what is on disk. False: a mistake was published as `error` events and the last good version goes on serving.
  bool deploy();
  // The folders of everything that went into the last deployment or attempt.
  std::set<std::filesystem::path> folders() const;
  // Whether an edit of these paths calls for a deployment.
  bool concerns(const std::set<std::filesystem::path>& changed) const;
  const std::string& stack_name() const { return stack_name_; }

 private:
  bool deploy_now();
  std::string what_now() const;  // for the user, after a failure
  void publish(const templates::Diagnostic& diagnostic);
  void publish_error(std::string message);
  void publish_warning(std::string message);
  Platform& platform_;
  Project project_;
  DevOptions dev_;
  Options options_;
  std::string stack_name_;
  TemplateBundler bundler_;
  bool served_ = false;   // a version has been deployed
  double bundle_ms_ = 0;  // of the last deployment
  std::set<std::filesystem::path> inputs_;
};

}  // namespace parvis::platform
