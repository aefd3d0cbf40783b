#include "functions/launch.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include "functions/extensions.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWrapper = "AWS_LAMBDA_EXEC_WRAPPER";

// Extensions run beside the runtime, in its cell and with its environment, and end with it. What they print is marked, and each end is
// told to the Runtime API. The runtime's own descriptors are not theirs.
constexpr std::string_view kStartExtensions = R"(for e in "$1"/*; do
  [ -f "$e" ] && [ -x "$e" ] || continue
  ( exec 3<&- 4>&-
    "$e" 2>&1 < /dev/null | sed -u $'s/^/\x01/'
    code=${PIPESTATUS[0]}
    exec 9<>"/dev/tcp/127.0.0.1/$2" && printf 'POST /parvis/extension-ended/%s/%s HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "${e##*/}" "$code" >&9 ) &
done
shift 2
exec "$0" "$@")";

constexpr std::string_view kWaitForOrders = R"(open(my $in, '<&=', 3) or exit 70; my $got = ''; while (sysread($in, my $more, 65536)) { $got .= $more } close $in;
exit 0 if $got eq ''; my ($folder, $count, @all) = split /\0/, $got, -1; pop @all; my @run = splice(@all, 0, $count); %ENV = ();
for (@all) { my ($name, $value) = split /=/, $_, 2; $ENV{$name} = $value } chdir $folder; exec { $run[0] } @run; print STDERR "cannot start $run[0]: $!\n"; exit 127)";

constexpr unsigned kHeapPercent = 85;
constexpr std::string_view kRuntimeClient = "aws-lambda-java-runtime-interface-client-";

// "java8.al2": 8.
unsigned java_major(std::string_view runtime) {
  unsigned major = 0;
  for (runtime.remove_prefix(4); !runtime.empty() && std::isdigit(static_cast<unsigned char>(runtime[0])); runtime.remove_prefix(1)) major = major * 10 + static_cast<unsigned>(runtime[0] - '0');
  return major;
}

// JAVA_VERSION="17.0.15" or "1.8.0_452".
unsigned major_of(const fs::path& home) {
  std::ifstream release(home / "release");
  for (std::string line; std::getline(release, line);) {
    if (!line.starts_with("JAVA_VERSION=\"")) continue;
    line = line.substr(14);
    if (line.starts_with("1.")) line = line.substr(2);
    return static_cast<unsigned>(std::strtoul(line.c_str(), nullptr, 10));
  }
  return 0;
}

std::vector<std::string> jars_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".jar") names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::vector<std::string> starter_arguments() { return {kStarter, "-e", std::string(kWaitForOrders)}; }

std::string starter_orders(const std::string& folder, const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment) {
  std::string orders = folder + '\0' + std::to_string(arguments.size()) + '\0';
  for (const std::string& argument : arguments) orders += argument + '\0';
  for (const auto& [name, value] : environment) orders += name + "=" + value + '\0';
  return orders;
}

std::vector<std::string> beside_extensions(const std::string& folder, unsigned port, std::vector<std::string> program) {
  std::vector<std::string> all{kShell, "-c", std::string(kStartExtensions), program.front(), folder, std::to_string(port)};
  all.insert(all.end(), std::make_move_iterator(program.begin() + 1), std::make_move_iterator(program.end()));
  return all;
}

std::string wrapper_of(const FunctionSpec& spec, bool isolated) {
  const auto found = spec.environment.find(std::string(kWrapper));
  if (found == spec.environment.end() || found->second.empty() || spec.runtime.starts_with("provided")) return {};
  const std::string& path = found->second;
  if (isolated) return path;
  if (path.starts_with("/opt/") && !spec.layers_dir.empty()) return spec.layers_dir + path.substr(4);
  if (path.starts_with("/var/task/")) return spec.code_dir + path.substr(9);
  return path;
}

bool has_extensions(const FunctionSpec& spec) { return !extensions_in(spec.layers_dir).empty(); }
bool wants_door(const FunctionSpec& spec) { return has_extensions(spec) || !wrapper_of(spec, true).empty(); }

// --- Java ------------------------------------------------------------------------------------------------------------

std::vector<Java> find_javas(const char* java_home, const char* path, const std::string& jvm_dir) {
  std::vector<Java> found;
  std::set<std::string> seen;
  const auto add = [&](const fs::path& home) {
    std::error_code error;
    const fs::path real = fs::canonical(home, error);
    if (error || access((real / "bin/java").c_str(), X_OK) != 0 || !seen.insert(real.string()).second) return;
    if (const unsigned major = major_of(real); major != 0) found.push_back({.major = major, .home = real.string()});
  };
  if (java_home != nullptr && *java_home != '\0') add(java_home);
  for (std::string_view left = path == nullptr ? "" : path; !left.empty();) {
    const std::string folder(left.substr(0, left.find(':')));
    left.remove_prefix(std::min(left.size(), folder.size() + 1));
    std::error_code error;
    const fs::path program = folder.empty() ? fs::path() : fs::canonical(fs::path(folder) / "java", error);
    if (!error && !program.empty()) add(program.parent_path().parent_path());
  }
  std::error_code error;
  std::vector<fs::path> installed;
  for (const auto& entry : fs::directory_iterator(jvm_dir, error)) installed.push_back(entry.path());
  std::ranges::sort(installed);
  for (const fs::path& home : installed) add(home);
  return found;
}

std::expected<Java, std::string> java_of(const std::vector<Java>& javas, const std::string& runtime) {
  const unsigned wanted = java_major(runtime);
  const Java* best = nullptr;
  for (const Java& java : javas) {
    if (java.major >= wanted && (best == nullptr || java.major < best->major)) best = &java;
  }
  if (best != nullptr) return *best;
  std::string there;
  for (const Java& java : javas) there += fmt::format("{} Java {} in {}", there.empty() ? "; found:" : ",", java.major, java.home);
  return std::unexpected(fmt::format("the runtime {} needs Java {} or later: install a JDK (JAVA_HOME, PATH and /usr/lib/jvm are looked at when the platform starts){}", runtime, wanted, there));
}

std::expected<void, std::string> check_java_client(const std::string& client_dir) {
  for (const std::string& name : jars_in(client_dir)) {
    if (name.starts_with(kRuntimeClient)) return {};
  }
  return std::unexpected("Java functions need Lambda's open runtime interface client: run script/setup --runtimes");
}

// Debian keeps settings of a Java below /etc and links to them.
std::vector<std::string> java_files(const Java& java) {
  std::vector<std::string> files;
  const std::string folder = fmt::format("/etc/java-{}-openjdk", java.major);
  if (access(folder.c_str(), R_OK) == 0) files.push_back(folder);
  return files;
}

std::vector<std::string> java_arguments(const FunctionSpec& spec, unsigned major, const std::string& interpreter, const std::string& client, const std::string& client_on_host, const std::string& layers) {
  std::string path;
  for (const std::string& name : jars_in(client_on_host)) path += (path.empty() ? "" : ":") + client + "/" + name;
  if (!layers.empty()) path += ":" + layers + "/java/lib/*";  // at /opt the client looks itself
  std::vector<std::string> all{interpreter, fmt::format("-XX:MaxHeapSize={}k", std::uint64_t{spec.memory_mb} * 1024 * kHeapPercent / 100), "-XX:+UseSerialGC", "-Xshare:auto", "-XX:+TieredCompilation",
                               "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true", "-XX:-UsePerfData"};
  if (major >= 9) all.push_back("--add-opens=java.base/java.io=ALL-UNNAMED");
  if (major >= 22) all.push_back("--enable-native-access=ALL-UNNAMED");  // else it warns of the client's library in every log
  all.insert(all.end(), {"-classpath", path, "com.amazonaws.services.lambda.runtime.api.client.AWSLambda", spec.handler});
  return all;
}

}  // namespace parvis::functions
