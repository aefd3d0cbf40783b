#include "platform/type_checker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <fmt/format.h>

namespace parvis::platform {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMessagesMax = 50, kLineBytesMax = 16 << 10;
constexpr int kNice = 15;

fs::path find_settings(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::path& place : {folder, folder / "src"})
    if (fs::is_regular_file(place / "tsconfig.json", ignored)) return place / "tsconfig.json";
  return {};
}

fs::path find_compiler(fs::path folder) {
  std::error_code ignored;
  for (;; folder = folder.parent_path()) {
    const fs::path compiler = folder / "node_modules/typescript/bin/tsc";
    if (fs::is_regular_file(compiler, ignored)) return compiler;
    if (folder == folder.root_path()) return {};
  }
}

// "src/a.ts(3,7): error TS2322: …", "error TS5023: …".
std::optional<TypeMessage> read_message(std::string_view text) {
  const auto mark = text.find("error TS");
  if (mark == std::string_view::npos) return std::nullopt;
  TypeMessage out;
  out.message = text.substr(mark + 6);
  if (mark == 0) return out;
  const std::string_view place = text.substr(0, mark);
  const auto open = place.rfind('('), comma = place.rfind(',');
  if (!place.ends_with("): ") || open == std::string_view::npos || comma == std::string_view::npos || comma < open) return std::nullopt;
  std::from_chars(place.data() + open + 1, place.data() + comma, out.line);
  std::from_chars(place.data() + comma + 1, place.data() + place.size(), out.column);
  out.file = place.substr(0, open);
  return out;
}

}  // namespace

std::optional<std::vector<TypeMessage>> TypeOutput::line(std::string_view text) {
  if (text.find("Watching for file changes") != std::string_view::npos) return take();
  if (auto message = read_message(text)) {
    if (messages_.size() < kMessagesMax) messages_.push_back(std::move(*message));
  } else if (text.starts_with("  ") && !messages_.empty()) {
    messages_.back().message += "\n  " + std::string(text);
  }
  return std::nullopt;
}

TypeChecker::TypeChecker(TypeCheckerOptions options) : options_(std::move(options)), settings_(find_settings(options_.folder)) {
  if (settings_.empty()) return;
  if (const std::string why = start(); !why.empty()) options_.on_hint("types are not checked: " + why);
}

std::string TypeChecker::start() {
  const fs::path compiler = find_compiler(settings_.parent_path());
  if (compiler.empty()) return "TypeScript is not installed in this project (npm install --save-dev typescript); --no-types leaves this out";
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe to the compiler";
  output_ = Fd(ends[0]);
  const Fd theirs(ends[1]);
  functions::ProcessSpec spec;
  spec.arguments = {options_.node.string(), compiler.string(), "--noEmit", "--pretty", "false", "--locale", "en", "-p", settings_.string()};
  if (options_.watch) spec.arguments.insert(spec.arguments.end(), {"--watch", "--preserveWatchOutput"});
  spec.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LANG", "en_US.UTF-8"}};
  spec.directory = options_.folder.string();
  spec.output_fd = theirs.get();
  spec.open_files_max = 8192;
  auto process = functions::spawn(spec);
  if (!process) return process.error();
  process_ = std::move(*process);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(process_.pid), kNice);  // before it has threads, which inherit it
  thread_ = std::thread([this] { run(); });
  return {};
}

TypeChecker::~TypeChecker() {
  if (process_.pid > 0) functions::kill_group(process_.pid);
  if (thread_.joinable()) thread_.join();
  if (process_.pid > 0) functions::reap(process_.pid, true);
}

void TypeChecker::run() {
  TypeOutput output;
  std::string line;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = ::read(output_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    for (const char letter : std::string_view(buffer.data(), static_cast<std::size_t>(size))) {
      if (letter != '\n' && line.size() < kLineBytesMax) line += letter;
      if (letter != '\n') continue;
      if (auto messages = output.line(line)) checked(std::move(*messages));
      line.clear();
    }
  }
  if (!options_.watch) checked(output.take());
}

void TypeChecker::checked(std::vector<TypeMessage> messages) {
  std::set<TypeMessage> now;
  for (TypeMessage& message : messages) {
    if (!message.file.empty()) message.file = (options_.folder / message.file).lexically_normal().string();
    if (!last_.contains(message)) options_.on_error(message);
    now.insert(std::move(message));
  }
  if (!now.empty() || !last_.empty()) options_.on_checked(now.size());
  last_ = std::move(now);
}

}  // namespace parvis::platform
