// platform/type_checker.h: the project's own TypeScript compiler beside `parvis dev`: what it finds is said, and holds up nothing.
//
// One process of low priority, `tsc --noEmit --watch`, which ends with this object, and with the platform's process however that ends. It looks at
// edits by itself. Needs a tsconfig.json beside the template (or in its src) and the package typescript in a node_modules there or above.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "functions/process.h"

namespace parvis::platform {

struct TypeMessage {
  std::string file, message;  // file: as the compiler names it; empty: of the settings
  unsigned line = 0, column = 0;
  auto operator<=>(const TypeMessage&) const = default;
};

// Takes the compiler's output line by line (--pretty false).
class TypeOutput {
 public:
  // The messages of a check that has ended with this line; nothing until then.
  std::optional<std::vector<TypeMessage>> line(std::string_view text);
  std::vector<TypeMessage> take() { return std::exchange(messages_, {}); }

 private:
  std::vector<TypeMessage> messages_;
};

struct TypeCheckerOptions {
  std::filesystem::path folder;  // the project's
  std::filesystem::path node;
  bool watch = true;
  std::function<void(const TypeMessage&)> on_error;       // once for each that the last check did not have; file is absolute
  std::function<void(std::size_t errors)> on_checked;     // when there are errors, or no more
  std::function<void(std::string)> on_hint;               // why there are no checks; once
};

class TypeChecker {  // callbacks come on a thread of this class
 public:
  explicit TypeChecker(TypeCheckerOptions options);
  ~TypeChecker();

 private:
  std::string start();  // empty, or why there are no checks
  void run();
  void checked(std::vector<TypeMessage> messages);
  TypeCheckerOptions options_;
  std::filesystem::path settings_;  // tsconfig.json
  std::set<TypeMessage> last_;
  functions::Process process_;
  Fd output_;
  std::thread thread_;
};

}  // namespace parvis::platform
