#include "cli/data.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/seal.h"
#include "platform/platform.h"
#include "platform/port_holder.h"
#include "storage/backup.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace parvis::cli {
namespace {
namespace fs = std::filesystem;

constexpr std::string_view kSealKey = "seal-key";

int fail(const std::string& message) {
  std::fprintf(stderr, "parvis: %s\n", message.c_str());
  return 1;
}

// The platform to ask: the named one, or the one that runs on the data directory. nullopt: none runs there.
std::unique_ptr<Remote> find_remote(const DataArguments& arguments) {
  RemoteOptions options = arguments.remote;
  options.data_dir = arguments.data_dir;
  if (!options.endpoint_url.empty()) return std::make_unique<Remote>(options);
  options.endpoint_url = platform::read_endpoint(arguments.data_dir);
  if (options.endpoint_url.empty()) return nullptr;
  auto remote = std::make_unique<Remote>(options);
  try {
    remote->send("parvis", make_request("GET", "/_parvis/health"), std::chrono::seconds(5));
    return remote;
  } catch (const RemoteError&) {
    return nullptr;  // it has ended without cleaning up
  }
}

// A file that appears whole or not at all.
class NewFile {
 public:
  explicit NewFile(fs::path path) : path_(std::move(path)), partial_(path_.string() + ".partial") {
    if (fs::exists(path_)) throw std::runtime_error(fmt::format("{}: exists already; name a new file", path_.string()));
    fd_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd_ < 0) throw std::runtime_error(fmt::format("{}: cannot be written: {}", partial_.string(), std::strerror(errno)));
  }
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    std::error_code ignored;
    fs::remove(partial_, ignored);
  }
  NewFile(const NewFile&) = delete;
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0) throw std::runtime_error(fmt::format("{}: cannot be written: {}", partial_.string(), std::strerror(errno)));
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  storage::BackupInfo finish() {
    if (::fsync(fd_) != 0) throw std::runtime_error(fmt::format("{}: cannot be written: {}", partial_.string(), std::strerror(errno)));
    const auto checked = storage::check_backup(partial_);
    if (!checked) throw std::runtime_error(checked.error());
    fs::rename(partial_, path_);
    return *checked;
  }

 private:
  fs::path path_, partial_;
  int fd_ = -1;
};

void write_key(const fs::path& file, std::string_view text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!written) throw std::runtime_error(fmt::format("{}: cannot be written: {}", file.string(), std::strerror(errno)));
}

awaitable<> append(NewFile* file, std::string piece) {
  file->write(piece);
  co_return;
}

void copy_offline(const fs::path& data_dir, NewFile& file) {
  if (!fs::exists(data_dir / "store")) throw std::runtime_error(fmt::format("{}: has no store; name the data directory with --data-dir", data_dir.string()));
  auto store = storage::open_rocksdb_store(data_dir / "store", storage::SyncMode::kRelaxed);
  if (!store) throw std::runtime_error(store.error());
  asio::io_context context;
  std::exception_ptr failed;
  asio::co_spawn(context, storage::write_backup((*store)->snapshot(), Clock{}.wall(), "parvis " PARVIS_VERSION, [&file](std::string piece) { return append(&file, std::move(piece)); }),
                 [&](std::exception_ptr error, storage::BackupInfo) { failed = error; });
  context.run();
  if (failed) std::rethrow_exception(failed);
}

using Detached = std::vector<std::pair<std::string, std::string>>;  // stack, what

bool confirmed(const Detached& found, bool yes) {
  for (const auto& [stack, what] : found) std::printf("  %s: %s\n", stack.c_str(), what.c_str());
  if (yes) return true;
  if (::isatty(0) != 1) return std::fputs("parvis: nothing was deleted: there is nobody to ask; --yes deletes without asking\n", stderr), false;
  std::fputs("delete them and their data? [y/N] ", stdout);
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

int prune_running(Remote& remote, bool yes) {
  Detached found;
  std::set<std::string> stacks;
  const boost::json::value detached = remote.parvis("GET", "/_parvis/detached");
  for (const auto& one : detached.at("detached").as_array()) {
    const auto text = [&](std::string_view name) { return std::string(one.at(name).as_string()); };
    found.emplace_back(text("stack"), fmt::format("{} ({} {})", text("logicalId"), text("type"), text("physicalId")));
    stacks.insert(text("stack"));
  }
  if (found.empty()) return std::puts("nothing is detached"), 0;
  if (!confirmed(found, yes)) return 1;
  for (const std::string& stack : stacks) remote.parvis("POST", "/_parvis/prune?stack=" + http::percent_encode(stack));
  std::printf("deleted %zu\n", found.size());
  return 0;
}

// Without a running platform one is started on ports of its own, for the time it takes.
int prune_offline(const DataArguments& arguments) {
  if (!fs::exists(arguments.data_dir / "store")) return fail(fmt::format("{}: has no store; name the data directory with --data-dir", arguments.data_dir.string()));
  spdlog::set_level(spdlog::level::warn);
  platform::Options options = arguments.platform;
  options.data_dir = fs::absolute(arguments.data_dir).lexically_normal();
  options.port = options.api_port = 0;
  options.threads = 1;
  platform::Platform platform(options);
  platform.start();
  RemoteOptions remote = arguments.remote;
  remote.endpoint_url = fmt::format("http://127.0.0.1:{}", platform.port());
  Remote itself(remote);
  return prune_running(itself, arguments.yes);
}

template <class Work>
int guarded(Work work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

}  // namespace

int run_backup(const DataArguments& arguments) {
  return guarded([&] {
    NewFile file(arguments.file);
    if (auto remote = find_remote(arguments)) {
      remote->download("parvis", make_request("GET", "/_parvis/backup"), [&](std::string_view piece) { file.write(piece); });
    } else {
      copy_offline(arguments.data_dir, file);
    }
    const storage::BackupInfo info = file.finish();
    std::printf("%s: %llu records, %llu bytes, as of %s\n", arguments.file.c_str(), static_cast<unsigned long long>(info.records),
                static_cast<unsigned long long>(info.bytes), info.created.c_str());
    std::printf("keys are not in it: to read its SecureStrings elsewhere, keep a copy of %s in another safe place\n", (arguments.data_dir / kSealKey).c_str());
    return 0;
  });
}

int run_restore(const DataArguments& arguments) {
  return guarded([&] {
    std::error_code failed;
    if (fs::exists(arguments.data_dir, failed) && !fs::is_empty(arguments.data_dir, failed))
      return fail(fmt::format("{}: is not empty; restore into a new data directory", arguments.data_dir.string()));
    if (const auto checked = storage::check_backup(arguments.file); !checked) return fail(checked.error());
    std::string key;
    if (!arguments.seal_key.empty()) {
      std::ifstream in(arguments.seal_key, std::ios::binary);
      key.assign(std::istreambuf_iterator<char>(in), {});
      if (!SealKey::from_text(key)) return fail(fmt::format("{}: is no seal key; it is the file seal-key of the data directory that was backed up", arguments.seal_key.string()));
    }
    fs::create_directories(arguments.data_dir);
    if (!key.empty()) write_key(arguments.data_dir / kSealKey, key);
    const auto restored = storage::restore_rocksdb_store(arguments.file, arguments.data_dir / "store");
    if (!restored) return fail(restored.error());
    std::printf("%s: restored %llu records of %s (made by %s)\n", arguments.data_dir.c_str(), static_cast<unsigned long long>(restored->records),
                restored->created.c_str(), restored->by.c_str());
    if (key.empty()) std::puts("without --seal-key: values that were sealed where the backup was made (SecureStrings) cannot be read here");
    return 0;
  });
}

int run_prune(const DataArguments& arguments) {
  return guarded([&] {
    if (auto remote = find_remote(arguments)) return prune_running(*remote, arguments.yes);
    return prune_offline(arguments);
  });
}

}  // namespace parvis::cli
