#include "services/lambda/code.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/hash.h"
#include "services/lambda/archive.h"
#include "services/lambda/blocking.h"
#include "services/lambda/errors.h"
#include "services/lambda/function_store.h"
#include "services/lambda/keyspace.h"

namespace parvis::lambda {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::hours kOrphanAge{1};

std::string raw_sha256(std::string_view bytes) {
  const Sha256Digest digest = sha256(bytes);
  return std::string(as_bytes(digest));
}

aws::ApiError to_api_error(const UnpackError& failed) {
  switch (failed.code) {
    case UnpackErrc::kNotAZip:
      return error(kInvalidParameterValue, "Could not unzip uploaded file. Please check your file, then try to upload again.");
    case UnpackErrc::kEmpty:
      return error(kInvalidParameterValue, "Uploaded file must be a non-empty zip");
    case UnpackErrc::kTooLarge:
      return error(kInvalidParameterValue, "Unzipped size must be smaller than 262144000 bytes");
    case UnpackErrc::kUnsafe:
      // Differs from AWS: links inside a package are refused.
      return error(kInvalidParameterValue, "The package was refused for an entry that is not a plain file or folder below its root: "
          + failed.detail);
    case UnpackErrc::kIo:
      spdlog::error("lambda: cannot unpack a deployment package: {}", failed.detail);
      return error(kService, "The package could not be unpacked.");
  }
  std::abort();
}

// Paths in order, each with its contents, so that equal folders have equal hashes.
CodeRef hash_folder(const std::string& folder) {
  std::error_code failed;
  if (!fs::path(folder).is_absolute() || !fs::is_directory(folder, failed)) {
    throw error(kInvalidParameterValue, "The code folder does not exist: " + folder);
  }
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    if (it->is_regular_file(failed)) files.push_back(it->path());
    if (files.size() > UnpackLimits{}.entries_max) throw error(kInvalidParameterValue, "Too many files in " + folder);
  }
  if (failed) throw error(kInvalidParameterValue, fmt::format("Cannot read the code folder {}: {}", folder, failed.message()));
  std::ranges::sort(files);
  Digest digest(Digest::Kind::kSha256);
  CodeRef ref{.id = {}, .local_dir = folder, .sha256 = {}, .size_bytes = 0};
  std::string buffer(64u << 10, '\0');
  for (const fs::path& file : files) {
    digest.update(fs::relative(file, folder).string() + '\0');
    std::ifstream in(file, std::ios::binary);
    std::uint64_t size = 0;
    while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
      digest.update(std::string_view(buffer.data(), static_cast<std::size_t>(in.gcount())));
      size += static_cast<std::uint64_t>(in.gcount());
      if (ref.size_bytes + size > UnpackLimits{}.bytes_max) {
        throw error(kInvalidParameterValue, "Unzipped size must be smaller than 262144000 bytes");
      }
    }
    digest.update(fmt::format("\n{}\n", size));
    ref.size_bytes += size;
  }
  ref.sha256 = digest.finish();
  return ref;
}

void check_size(std::string_view zip) {
  if (zip.size() > kZipBytesMax) {
    throw error(kRequestEntityTooLarge, fmt::format("Request must be smaller than {} bytes for the CreateFunction operation", 69905067));
  }
  if (zip.empty()) throw error(kInvalidParameterValue, "Uploaded file must be a non-empty zip");
}

}  // namespace

CodeStore::CodeStore(storage::Store& store, Entropy& entropy, const Clock& clock, CodeOptions options)
    : store_(store), entropy_(entropy), clock_(clock), options_(std::move(options)) {
  // A crash can leave half-written folders behind a good name, and unpacking again is cheap.
  fs::remove_all(options_.cache_dir);
  fs::create_directories(options_.cache_dir);
}

std::string CodeStore::unpack(std::string_view zip, const std::string& sha256) {
  const fs::path target = fs::path(options_.cache_dir) / hex_encode(sha256);
  std::error_code failed;
  if (fs::exists(target, failed)) return target.string();
  const fs::path staging = fs::path(options_.cache_dir) / (".new-" + entropy_.token(16));
  fs::create_directories(staging);
  auto unpacked = unpack_zip(zip, staging.string());
  if (!unpacked) {
    fs::remove_all(staging, failed);
    throw to_api_error(unpacked.error());
  }
  return finish(staging.string(), target.string());
}

std::string CodeStore::finish(const std::string& staging, const std::string& target) {
  std::error_code failed;
  fs::rename(staging, target, failed);
  if (failed) {  // another call was first; its folder has the same contents
    std::error_code ignored;
    fs::remove_all(staging, ignored);
    if (!fs::exists(target, ignored)) {
      spdlog::error("lambda: cannot move a package into {}: {}", target, failed.message());
      throw error(kService, "The package could not be unpacked.");
    }
  }
  return target;
}

// Files are hard links where the file system has them: layers are large, and nothing writes to unpacked folders.
std::string CodeStore::merge(const std::vector<std::string>& folders, const std::string& name) {
  const fs::path target = fs::path(options_.cache_dir) / name;
  std::error_code failed;
  if (fs::exists(target, failed)) return target.string();
  const fs::path staging = fs::path(options_.cache_dir) / (".new-" + entropy_.token(16));
  fs::create_directories(staging);
  for (const std::string& folder : folders) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
      const fs::path to = staging / fs::relative(entry.path(), folder);
      if (entry.is_directory()) {
        if (fs::exists(to, failed) && !fs::is_directory(to, failed)) fs::remove(to, failed);
        fs::create_directories(to);
        continue;
      }
      fs::remove_all(to, failed);
      fs::create_hard_link(entry.path(), to, failed);
      if (failed) fs::copy_file(entry.path(), to);
    }
  }
  return finish(staging.string(), target.string());
}

awaitable<CodeRef> CodeStore::check(std::string zip) {
  check_size(zip);
  co_return co_await run_blocking(options_.blocking, [this, &zip] {
    CodeRef ref{.id = {}, .local_dir = {}, .sha256 = raw_sha256(zip), .size_bytes = zip.size()};
    unpack(zip, ref.sha256);
    return ref;
  });
}

storage::BlobStore CodeStore::packages(const aws::Scope& scope) {
  return storage::BlobStore(store_, entropy_, clock_, package_prefix(scope.account, scope.region));
}

awaitable<CodeRef> CodeStore::put(aws::Scope scope, std::string zip) {
  CodeRef ref = co_await check(zip);
  storage::BlobStore blobs = packages(scope);
  storage::BlobWriter writer = blobs.create();
  if (auto written = co_await writer.write(std::move(zip)); !written) throw to_api_error(written.error());
  ref.id = writer.id();
  storage::Commit loose;
  let_go(scope, ref, loose);
  if (auto published = co_await writer.publish(std::move(loose)); !published) throw to_api_error(published.error());
  co_return ref;
}

void CodeStore::hold(const aws::Scope& scope, const CodeRef& code, storage::Commit& commit) {
  if (!code.id.empty()) commit.erase(loose_package_key(scope.account, scope.region, code.id));
}

void CodeStore::let_go(const aws::Scope& scope, const CodeRef& code, storage::Commit& commit) {
  if (!code.id.empty()) commit.put(loose_package_key(scope.account, scope.region, code.id), "");
}

awaitable<CodeRef> CodeStore::local(std::string folder) {
  if (!options_.allow_local) throw error(kInvalidParameterValue, "Code from a folder of this machine is available in `parvis dev` only.");
  co_return co_await run_blocking(options_.blocking, [&folder] { return hash_folder(folder); });
}

awaitable<std::string> CodeStore::read(aws::Scope scope, CodeRef code) {
  storage::BlobStore blobs = packages(scope);
  std::optional<std::string> zip = co_await blobs.read(code.id, kZipBytesMax);
  if (!zip || raw_sha256(*zip) != code.sha256) {
    spdlog::error("lambda: the stored package {} is {}", code.id, zip ? "not what was uploaded" : "missing");
    throw error(kService, "The function's code could not be read.");
  }
  co_return std::move(*zip);
}

awaitable<std::string> CodeStore::folder(aws::Scope scope, CodeRef code) {
  if (!code.local_dir.empty()) co_return code.local_dir;
  const fs::path target = fs::path(options_.cache_dir) / hex_encode(code.sha256);
  std::error_code failed;
  if (fs::exists(target, failed)) co_return target.string();
  const std::string zip = co_await read(std::move(scope), code);
  co_return co_await run_blocking(options_.blocking, [this, &zip, &code] { return unpack(zip, code.sha256); });
}

awaitable<std::string> CodeStore::layers_folder(aws::Scope scope, std::vector<LayerUse> layers) {
  if (layers.empty()) co_return "";
  std::vector<std::string> folders;
  Digest digest(Digest::Kind::kSha256);
  for (const LayerUse& layer : layers) {
    folders.push_back(co_await folder(scope, layer.code));
    digest.update(layer.code.sha256);
  }
  if (folders.size() == 1) co_return folders.front();
  const std::string name = "layers-" + hex_encode(digest.finish());
  co_return co_await run_blocking(options_.blocking, [this, &folders, &name] { return merge(folders, name); });
}

awaitable<std::uint64_t> CodeStore::unpacked_bytes(aws::Scope scope, CodeRef code) {
  const std::string at = co_await folder(std::move(scope), std::move(code));
  co_return co_await run_blocking(options_.blocking, [&at] {
    std::uint64_t bytes = 0;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(at)) {
      if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return bytes;
  });
}

awaitable<> CodeStore::remove(aws::Scope scope, CodeRef code) {
  if (code.id.empty()) co_return;
  storage::BlobStore blobs = packages(scope);
  storage::Commit unmark;
  hold(scope, code, unmark);
  auto removed = co_await blobs.remove(code.id, unmark);
  if (!removed) throw to_api_error(removed.error());
  if (!*removed) co_await commit_plain(store_, std::move(unmark));
  // The chunks stay for as long as a worker might still be reading them or an upload lasts.
  if (auto done = co_await blobs.collect_orphans(clock_.wall() - kOrphanAge); !done) {
    spdlog::warn("lambda: packages that were removed still use space: {}", done.error().detail);
  }
}

awaitable<> CodeStore::collect(aws::Scope scope) {
  const std::string prefix = loose_package_prefix(scope.account, scope.region);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix)};
  for (bool more = true; more;) {
    const storage::ScanPage page = co_await store_.snapshot()->scan(range);
    for (const storage::Entry& entry : page.entries) {
      CodeRef code;
      code.id = storage::TupleReader(std::string_view(entry.key).substr(prefix.size())).string().value_or("");
      co_await remove(scope, code);
    }
    more = page.more;
    if (more) range.begin = page.entries.back().key + '\0';
  }
  // Nothing uploads or reads now, so the chunks of everything unpublished or removed can go.
  storage::BlobStore blobs = packages(scope);
  if (auto done = co_await blobs.collect_orphans(clock_.wall() + std::chrono::milliseconds(1)); !done) throw to_api_error(done.error());
}

}  // namespace parvis::lambda
