// platform/companions.h: the processes of parvis.yaml. Their output appears in the live log; they end with the platform.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "platform/project.h"

namespace parvis::platform {

class Companions {
 public:
  // `on_line(name, line)` is called on threads of this class. `path_prefix` goes before PATH, so that `node` is ours.
  Companions(const Project& project, const std::string& path_prefix, std::function<void(std::string, std::string)> on_line);
  ~Companions();  // ends each process group

 private:
  struct Running {
    int pid = -1, output = -1;
    std::thread reader;
  };
  std::vector<Running> running_;
};

}  // namespace parvis::platform
