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

constexpr std::size_t kChunksPerCommit = 16;

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

CodeStore::CodeStore(storage::Store& store, Entropy& entropy, CodeOptions options)
    : store_(store), entropy_(entropy), options_(std::move(options)) {
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
  fs::rename(staging, target, failed);
  if (failed) {  // another call was first; its folder has the same contents
    std::error_code ignored;
    fs::remove_all(staging, ignored);
    if (!fs::exists(target, ignored)) {
      spdlog::error("lambda: cannot move a package into {}: {}", target.string(), failed.message());
      throw error(kService, "The package could not be unpacked.");
    }
  }
  return target.string();
}

awaitable<CodeRef> CodeStore::check(std::string zip) {
  check_size(zip);
  co_return co_await run_blocking(options_.blocking, [this, &zip] {
    CodeRef ref{.id = {}, .local_dir = {}, .sha256 = raw_sha256(zip), .size_bytes = zip.size()};
    unpack(zip, ref.sha256);
    return ref;
  });
}

awaitable<CodeRef> CodeStore::put(aws::Scope scope, std::string zip) {
  CodeRef ref = co_await check(zip);
  ref.id = entropy_.token(26);
  std::uint32_t chunk = 0;
  for (std::size_t at = 0; at < zip.size();) {
    storage::Commit commit;
    for (std::size_t i = 0; i < kChunksPerCommit && at < zip.size(); ++i, at += kCodeChunkBytes) {
      commit.puts.push_back({code_chunk_key(scope.account, scope.region, ref.id, chunk++), zip.substr(at, kCodeChunkBytes)});
    }
    co_await commit_plain(store_, std::move(commit));
  }
  co_return ref;
}

awaitable<CodeRef> CodeStore::local(std::string folder) {
  if (!options_.allow_local) throw error(kInvalidParameterValue, "Code from a folder of this machine is available in `parvis dev` only.");
  co_return co_await run_blocking(options_.blocking, [&folder] { return hash_folder(folder); });
}

awaitable<std::string> CodeStore::read(aws::Scope scope, CodeRef code) {
  std::string zip;
  zip.reserve(code.size_bytes);
  const std::string prefix = code_prefix(scope.account, scope.region, code.id);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = 8, .bytes_max = 4u << 20};
  for (auto snapshot = store_.snapshot();;) {
    storage::ScanPage page = co_await snapshot->scan(range);
    for (storage::Entry& entry : page.entries) zip += entry.value;
    if (!page.more || page.entries.empty()) break;
    range.begin = page.entries.back().key + '\0';
  }
  if (raw_sha256(zip) != code.sha256) {
    spdlog::error("lambda: the stored package {} does not fit its hash", code.id);
    throw error(kService, "The function's code could not be read.");
  }
  co_return zip;
}

awaitable<std::string> CodeStore::folder(aws::Scope scope, CodeRef code) {
  if (!code.local_dir.empty()) co_return code.local_dir;
  const fs::path target = fs::path(options_.cache_dir) / hex_encode(code.sha256);
  std::error_code failed;
  if (fs::exists(target, failed)) co_return target.string();
  const std::string zip = co_await read(std::move(scope), code);
  co_return co_await run_blocking(options_.blocking, [this, &zip, &code] { return unpack(zip, code.sha256); });
}

awaitable<> CodeStore::remove(aws::Scope scope, CodeRef code) {
  if (code.id.empty()) co_return;
  storage::Commit commit;
  const std::size_t chunks = (code.size_bytes + kCodeChunkBytes - 1) / kCodeChunkBytes;
  for (std::size_t i = 0; i < chunks; ++i) {
    commit.erase(code_chunk_key(scope.account, scope.region, code.id, static_cast<std::uint32_t>(i)));
  }
  co_await commit_plain(store_, std::move(commit));
}

}  // namespace parvis::lambda
