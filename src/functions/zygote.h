// functions/zygote.h: a prepared interpreter that is forked for each worker, because loading what Python functions need takes
// a third of a second and 30 MB, and a fork takes milliseconds and shares the memory.
//
// It is a child of this process, runs only the text compiled in (runtime/python/prepared.py) and holds nothing of any function.
// A worker is a child of this process too, in namespaces of its own, and gives up privileges by the same steps as one that is
// started by exec; its cell is furnished and the outcome looked at from outside. docs/decisions has the reasons.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "functions/process.h"

namespace parvis::functions {

class Zygote {  // not thread-safe
 public:
  struct Setup {
    std::string interpreter;
    std::string client, client_seen;   // the text of the runtime's client, and its path as workers see it
    std::string sdk_dir, sdk_seen;     // packages, and where workers see them; may be empty
  };
  // Starts it; it is ready a third of a second later.
  static std::expected<std::unique_ptr<Zygote>, std::string> start(const Setup& setup);
  ~Zygote();  // does not end the process

  pid_t pid() const { return process_.pid; }
  int control_fd() const { return control_.get(); }  // readable when it is ready, or has ended
  // Takes the message that makes control_fd() readable. False: it has ended, or cannot work here.
  bool became_ready();
  bool ready() const { return ready_; }
  // As spawn(), with `spec.arguments` left out. `our_channel` is the other end of `spec.channel_fd`. Takes a few milliseconds.
  std::expected<Process, std::string> fork(const ProcessSpec& spec, int our_channel);

 private:
  Zygote() = default;
  std::expected<pid_t, std::string> order(const ProcessSpec& spec);

  Process process_;
  Fd control_;
  bool ready_ = false;
};

}  // namespace parvis::functions
