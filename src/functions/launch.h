// functions/launch.h: what a worker's process is started with: the function's bootstrap, an interpreter with our client, or Java with the
// open runtime interface client; with the extensions of the function's layers beside it and the function's wrapper script before it.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "functions/engine.h"

namespace parvis::functions {

// Waits in a cell for the function whose bootstrap it becomes. Its orders: the folder, how many arguments, those, the environment; each
// ends with a NUL.
inline constexpr const char* kStarter = "/usr/bin/perl";
std::vector<std::string> starter_arguments();
std::string starter_orders(const std::string& folder, const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment);

// `program` starts beside the extensions in `folder`, which it sees there. `port`: of its Runtime API on 127.0.0.1.
inline constexpr const char* kShell = "/bin/bash";
std::vector<std::string> beside_extensions(const std::string& folder, unsigned port, std::vector<std::string> program);

// What AWS_LAMBDA_EXEC_WRAPPER names, as the worker sees it; empty: nothing. It is not for bootstraps.
// Source: Lambda Developer Guide, "Modifying the runtime environment".
std::string wrapper_of(const FunctionSpec& spec, bool isolated);

bool has_extensions(const FunctionSpec& spec);
// Whether it has a Runtime and Extensions API though our client needs none: for its extensions, internal ones included.
bool wants_door(const FunctionSpec& spec);

// --- Java ------------------------------------------------------------------------------------------------------------

// The installed ones: JAVA_HOME, the one on PATH, /usr/lib/jvm/*. Reads their `release` files and starts none.
std::vector<Java> find_javas(const char* java_home, const char* path, const std::string& jvm_dir = "/usr/lib/jvm");
// The one for a runtime ("java17"): the oldest that is at least of its major version. The error is a sentence on what to install.
std::expected<Java, std::string> java_of(const std::vector<Java>& javas, const std::string& runtime);
// The client's folder as it was checked by the set-up, or a sentence on what is missing.
std::expected<void, std::string> check_java_client(const std::string& client_dir);
// Files of the host outside of its home that a Java reads.
std::vector<std::string> java_files(const Java& java);
// `interpreter`: of a Java of version `major`. `client`: the folder of the runtime interface client's jars. `layers`: where the worker sees
// those, empty: none, or at /opt.
// Source: the command line that Lambda's Java 17 runtime is started with; heap: 85 % of the memory, as of Lambda's Java runtimes.
std::vector<std::string> java_arguments(const FunctionSpec& spec, unsigned major, const std::string& interpreter, const std::string& client, const std::string& client_on_host, const std::string& layers);

}  // namespace parvis::functions
