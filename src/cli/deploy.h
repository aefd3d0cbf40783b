// cli/deploy.h: `parvis deploy`: local code is bundled as `parvis dev` does it, put into a bucket of the running platform, and the
// stack is made or updated through CloudFormation. All capabilities are acknowledged: the template is the caller's own.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "cli/remote.h"

namespace parvis::cli {

struct DeployArguments {
  std::filesystem::path place = ".", tools_dir;  // folder or template
  std::string stack_name;
  std::map<std::string, std::string> parameters;
  RemoteOptions remote;
};

// Prints the stack's events and outputs. 0; 1 with the failed resource and its reason; 2 for a wrong template or call.
int run_deploy(const DeployArguments& arguments);

}  // namespace parvis::cli
