#include "functions/bundle.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "functions/esbuild_packet.h"
#include "functions/process.h"

namespace parvis::functions {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using Steady = std::chrono::steady_clock;
constexpr std::chrono::seconds kBundleTimeout{120};
constexpr std::size_t kMessagesMax = 50, kLineTextMax = 200;
constexpr std::string_view kVersion = "0.28.2";  // the process refuses to serve another one

struct Broken : std::runtime_error {  // the process cannot be used any more
  using std::runtime_error::runtime_error;
};

json::array flags_of(const BundleOptions& options) {
  json::array out = {"--color=false", "--log-level=silent", "--log-limit=0", "--bundle", "--platform=node", "--metafile"};
  const auto add = [&out](std::string flag) { out.emplace_back(flag); };
  add("--target=" + options.target);
  add("--format=" + options.format);
  add("--outdir=" + options.out_dir);
  // Without it esbuild leaves the entry points' common folder out, as SAM's builds do.
  if (options.keep_folders) add("--outbase=" + options.source_dir);
  const bool named = std::ranges::any_of(options.further, [](const std::string& flag) { return flag.starts_with("--out-extension:"); });
  if (options.format == "esm" && !named) add("--out-extension:.js=.mjs");
  if (options.minify) add("--minify");
  if (options.sourcemap) add(options.inline_sourcemap ? "--sourcemap=inline" : "--sourcemap");
  for (const std::string& name : options.external) add("--external:" + name);
  for (const std::string& pair : options.loader) add("--loader:" + pair);
  for (const std::string& pair : options.define) add("--define:" + pair);
  if (!options.main_fields.empty()) add(fmt::format("--main-fields={}", fmt::join(options.main_fields, ",")));
  for (const std::string& flag : options.further) add(flag);
  return out;
}

const json::value& member(const json::value& of, std::string_view name) {
  static const json::value none;
  const auto* object = of.if_object();
  const auto* found = object ? object->if_contains(name) : nullptr;
  return found ? *found : none;
}

std::string_view text_of(const json::value& value) { return value.is_string() ? std::string_view(value.get_string()) : std::string_view(); }
unsigned number_of(const json::value& value) { return value.is_int64() && value.get_int64() > 0 ? static_cast<unsigned>(value.get_int64()) : 0; }

std::vector<BundleMessage> messages_of(const json::value& list, const std::string& source_dir) {
  std::vector<BundleMessage> out;
  const auto* array = list.if_array();
  for (const auto& entry : array ? *array : json::array()) {
    if (out.size() == kMessagesMax) break;
    BundleMessage& message = out.emplace_back();
    message.text = text_of(member(entry, "text"));
    if (const auto id = text_of(member(entry, "id")); !id.empty()) message.text += fmt::format(" [{}]", id);
    const json::value& place = member(entry, "location");
    if (!place.is_object()) continue;
    message.file = (fs::path(source_dir) / std::string(text_of(member(place, "file")))).lexically_normal().string();
    message.line = number_of(member(place, "line"));
    message.column = number_of(member(place, "column")) + 1;
    message.length = number_of(member(place, "length"));
    message.line_text = text_of(member(place, "lineText")).substr(0, kLineTextMax);
  }
  return out;
}

// The metafile names inputs relative to the folder that esbuild works in; virtual ones carry a namespace ("(disabled):x").
std::vector<std::string> inputs_of(std::string_view metafile, const std::string& source_dir) {
  boost::system::error_code error;
  const json::value value = json::parse(metafile, error);
  std::vector<std::string> out;
  const auto* inputs = error ? nullptr : member(value, "inputs").if_object();
  for (const auto& entry : inputs ? *inputs : json::object()) {
    const fs::path path = fs::path(source_dir) / std::string(entry.key());
    std::error_code ignored;
    if (fs::exists(path, ignored)) out.push_back(path.lexically_normal().string());
  }
  return out;
}

BundleResult failed(std::string why) { return {.ok = false, .errors = {{.text = std::move(why), .file = {}, .line_text = {}}}, .warnings = {}, .inputs = {}, .files = {}}; }

BundleResult result_of(const json::value& answer, const BundleOptions& options) {
  BundleResult out;
  out.errors = messages_of(member(answer, "errors"), options.source_dir);
  out.warnings = messages_of(member(answer, "warnings"), options.source_dir);
  out.inputs = inputs_of(text_of(member(answer, "metafile")), options.source_dir);
  out.ok = out.errors.empty();
  const auto* files = member(answer, "outputFiles").if_array();
  for (const auto& file : out.ok && files ? *files : json::array()) {
    out.files.emplace_back(fs::path(std::string(text_of(member(file, "path")))).lexically_relative(options.out_dir).string(), text_of(member(file, "contents")));
  }
  return out;
}

}  // namespace

// The process, and the exchange of packets with it over its standard input and output.
class Esbuild::Service {
 public:
  explicit Service(const std::string& path) {
    if (access(path.c_str(), X_OK) != 0) throw Broken("the bundler esbuild '" + path + "' cannot be run: " + std::strerror(errno));
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw Broken(std::string("socketpair: ") + std::strerror(errno));
    channel_ = Fd(ends[0]);
    const Fd theirs(ends[1]);
    auto process = spawn({.arguments = {path, fmt::format("--service={}", kVersion)}, .environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}}, .directory = "/",
                          .input_fd = theirs.get(), .output_fd = theirs.get(), .channel_fd = -1, .open_files_max = 8192});
    if (!process) throw Broken(process.error());
    process_ = std::move(*process);
  }
  ~Service() {
    channel_.reset();
    if (process_.pid <= 0) return;
    kill_group(process_.pid);
    reap(process_.pid, true);
  }

  void begin(Steady::duration limit) {
    deadline_ = Steady::now() + limit;
    if (!greeted_ && receive() != kVersion) throw Broken("the bundler is not esbuild " + std::string(kVersion));
    greeted_ = true;
  }

  // Sends a request and waits for its answer. What the process asks meanwhile is the end of a build: kept in `built`.
  json::value ask(json::object request, json::value* built = nullptr) {
    const std::uint32_t id = next_id_++;
    send(encode({id, true, std::move(request)}));
    for (;;) {
      auto packet = decode(receive());
      if (!packet) throw Broken("the bundler esbuild answers with bytes that are no packet");
      if (!packet->is_request) {
        if (packet->id != id) continue;
        if (const auto why = text_of(member(packet->value, "error")); !why.empty()) throw std::runtime_error(std::string(why));
        return std::move(packet->value);
      }
      if (built && text_of(member(packet->value, "command")) == "on-end") *built = std::move(packet->value);
      send(encode({packet->id, false, json::object{{"errors", json::array()}, {"warnings", json::array()}}}));
    }
  }

 private:
  void wait(short what) {
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Steady::now()).count();
      if (left <= 0) throw Broken(fmt::format("bundling took longer than {} seconds", kBundleTimeout.count()));
      pollfd waiting{channel_.get(), what, 0};
      if (poll(&waiting, 1, static_cast<int>(left)) > 0) return;
    }
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(channel_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      else if (sent < 0 && errno == EAGAIN) wait(POLLOUT);
      else if (errno != EINTR) throw Broken(std::string("the bundler esbuild has ended: ") + std::strerror(errno));
    }
  }
  void read_exactly(char* to, std::size_t size) {
    while (size > 0) {
      wait(POLLIN);
      const ssize_t got = ::recv(channel_.get(), to, size, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw Broken("the bundler esbuild has ended before it answered");
      to += got;
      size -= static_cast<std::size_t>(got);
    }
  }
  std::string receive() {
    unsigned char head[4];
    read_exactly(reinterpret_cast<char*>(head), sizeof head);
    const std::size_t size = head[0] | head[1] << 8 | head[2] << 16 | static_cast<std::size_t>(head[3]) << 24;
    if (size > kEsbuildPacketBytesMax) throw Broken("the bundler esbuild answers with bytes that are no packet");
    std::string bytes(size, '\0');
    read_exactly(bytes.data(), size);
    return bytes;
  }

  Fd channel_;
  Process process_;
  Steady::time_point deadline_;
  std::uint32_t next_id_ = 0;
  bool greeted_ = false;
};

Esbuild::Esbuild(std::string path, unsigned contexts_max) : path_(std::move(path)), contexts_max_(std::max(1u, contexts_max)) {}
Esbuild::~Esbuild() = default;

void Esbuild::rest() {
  contexts_.clear();
  service_.reset();
}

BundleResult Esbuild::bundle(const BundleOptions& given) {
  BundleOptions options = given;
  std::error_code error;
  options.source_dir = fs::canonical(given.source_dir, error).string();
  if (error) return failed("the source folder " + given.source_dir + " does not exist");
  options.out_dir = fs::absolute(given.out_dir).lexically_normal().string();
  if (options.entry_points.empty()) return failed("no entry point to bundle");
  try {
    if (!service_) service_ = std::make_unique<Service>(path_);
    service_->begin(kBundleTimeout);
    return build(options);
  } catch (const Broken& broken) {
    rest();
    return failed(broken.what());
  } catch (const std::exception& refused) {
    return failed(refused.what());
  }
}

BundleResult Esbuild::build(const BundleOptions& options) {
  const json::array flags = flags_of(options);
  json::array entries;
  for (const std::string& entry : options.entry_points) entries.push_back({"", (fs::path(options.source_dir) / entry).string()});
  const std::string settings = json::serialize(json::array{flags, entries});
  auto context = std::ranges::find(contexts_, settings, &Context::settings);
  if (context == contexts_.end()) {
    const unsigned key = next_key_++;
    const json::value made = service_->ask({{"command", "build"}, {"key", key}, {"entries", entries}, {"flags", flags}, {"write", false}, {"stdinContents", nullptr},
                                            {"stdinResolveDir", nullptr}, {"absWorkingDir", options.source_dir}, {"nodePaths", json::array()}, {"context", true}});
    if (auto errors = messages_of(member(made, "errors"), options.source_dir); !errors.empty())
      return {.ok = false, .errors = std::move(errors), .warnings = {}, .inputs = {}, .files = {}};
    contexts_.push_front({settings, key});
    if (contexts_.size() > contexts_max_) {
      service_->ask({{"command", "dispose"}, {"key", contexts_.back().key}});
      contexts_.pop_back();
    }
  } else {
    contexts_.splice(contexts_.begin(), contexts_, context);
  }
  json::value built;
  service_->ask({{"command", "rebuild"}, {"key", contexts_.front().key}}, &built);
  if (!built.is_object()) throw Broken("the bundler esbuild has built nothing");
  return result_of(built, options);
}

std::string write_files(const BundleResult& result, const std::string& folder) {
  std::error_code error;
  for (const auto& [name, contents] : result.files) {
    const fs::path path = fs::path(folder) / name;
    fs::create_directories(path.parent_path(), error);
    if (error) return fmt::format("cannot create {}: {}", path.parent_path().string(), error.message());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
    if (!out.flush()) return "cannot write " + path.string();
  }
  return {};
}

}  // namespace parvis::functions
