#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "functions/engine.h"
#include "functions/process.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kBundleTimeout{120};
constexpr std::size_t kErrorBytesMax = 256u << 10;

std::vector<std::string> arguments_of(const BundleOptions& options, const std::string& metafile) {
  std::vector<std::string> out = {options.esbuild_path, "--bundle", "--platform=node", "--log-level=warning", "--color=false", "--log-limit=50"};
  out.push_back("--target=" + options.target);
  out.push_back("--format=" + options.format);
  out.push_back("--outdir=" + options.out_dir);
  // Without it esbuild leaves the entry points' common folder out, as SAM's builds do.
  if (options.keep_folders) out.push_back("--outbase=" + options.source_dir);
  out.push_back("--metafile=" + metafile);
  if (options.format == "esm") out.push_back("--out-extension:.js=.mjs");
  if (options.minify) out.push_back("--minify");
  if (options.sourcemap) out.push_back("--sourcemap");
  for (const std::string& name : options.external) out.push_back("--external:" + name);
  for (const std::string& pair : options.loader) out.push_back("--loader:" + pair);
  for (const std::string& pair : options.define) out.push_back("--define:" + pair);
  if (!options.main_fields.empty()) out.push_back(fmt::format("--main-fields={}", fmt::join(options.main_fields, ",")));
  for (const std::string& entry : options.entry_points) out.push_back((fs::path(options.source_dir) / entry).string());
  return out;
}

// Reads until the process has closed its output or the time is over. False: over time.
bool read_output(int fd, std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + kBundleTimeout;
  char buffer[16 << 10];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{fd, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(left.count())) <= 0) continue;
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    if (text.size() < kErrorBytesMax) text.append(buffer, std::min<std::size_t>(static_cast<std::size_t>(got), kErrorBytesMax - text.size()));
  }
}

// The metafile names inputs relative to the folder that esbuild ran in; virtual ones carry a namespace ("(disabled):x").
std::vector<std::string> inputs_of(const std::string& metafile, const std::string& source_dir) {
  std::ifstream file(metafile, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  boost::system::error_code error;
  const auto value = boost::json::parse(text, error);
  std::vector<std::string> out;
  if (error || !value.is_object()) return out;
  const auto* inputs = value.get_object().if_contains("inputs");
  if (inputs == nullptr || !inputs->is_object()) return out;
  for (const auto& entry : inputs->get_object()) {
    fs::path path = fs::path(source_dir) / std::string(entry.key());
    std::error_code ignored;
    if (fs::exists(path, ignored)) out.push_back(path.lexically_normal().string());
  }
  return out;
}

BundleResult failed(std::string why) { return {.ok = false, .errors = std::move(why), .inputs = {}}; }

}  // namespace

BundleResult bundle(const BundleOptions& given) {
  BundleOptions options = given;
  std::error_code error;
  options.source_dir = fs::canonical(given.source_dir, error).string();
  if (error) return failed("the source folder " + given.source_dir + " does not exist");
  options.out_dir = fs::absolute(given.out_dir).lexically_normal().string();
  if (options.entry_points.empty()) return failed("no entry point to bundle");
  if (access(options.esbuild_path.c_str(), X_OK) != 0) {
    return failed("the bundler esbuild '" + options.esbuild_path + "' cannot be run: " + std::strerror(errno));
  }
  fs::create_directories(options.out_dir, error);
  if (error) return failed("cannot create " + options.out_dir + ": " + error.message());
  const std::string metafile = options.out_dir + "/.esbuild-meta.json";

  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) return failed(std::string("pipe: ") + std::strerror(errno));
  Fd read_end(output[0]), write_end(output[1]);
  ProcessSpec spec{.arguments = arguments_of(options, metafile), .environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}}, .directory = options.source_dir,
                   .output_fd = write_end.get(), .channel_fd = -1, .open_files_max = 8192};
  auto process = spawn(spec);
  write_end.reset();
  if (!process) return failed(process.error());
  BundleResult result;
  const bool in_time = read_output(read_end.get(), result.errors);
  if (!in_time) kill_group(process->pid);
  const ExitStatus status = reap(process->pid, true);
  result.inputs = inputs_of(metafile, options.source_dir);
  fs::remove(metafile, error);
  if (!in_time) return failed(fmt::format("bundling took longer than {} seconds", kBundleTimeout.count()));
  result.ok = status.known && !status.signaled && status.value == 0;
  if (!result.ok && result.errors.empty()) result.errors = fmt::format("esbuild ended with {} {}", status.signaled ? "signal" : "status", status.value);
  return result;
}

}  // namespace parvis::functions
