// lambda/code.h: deployment packages: checked, kept in the store in pieces, unpacked on this node when a worker needs them.
#pragma once

#include <string>

#include "core/async.h"
#include "core/entropy.h"
#include "services/lambda/function.h"
#include "storage/store.h"

namespace parvis::lambda {

// The bucket name that stands for a folder of this machine: S3Key is then an absolute path. Only with `allow_local`,
// and only from templates: `parvis dev` bundles sources into such folders.
inline constexpr std::string_view kLocalBucket = "parvis-local-code";
inline constexpr std::size_t kZipBytesMax = 50u << 20;

struct CodeOptions {
  std::string cache_dir;         // emptied at start: what is in it can be made again
  asio::any_io_executor blocking;
  bool allow_local = false;
};

class CodeStore {  // thread-safe; `store` and `entropy` outlive it
 public:
  CodeStore(storage::Store& store, Entropy& entropy, CodeOptions options);

  // Throws: InvalidParameterValueException (no zip file, unsafe or too large inside), RequestEntityTooLargeException.
  // The bytes are durable when it returns; they belong to nothing until a record names them.
  // Limits: 50 MB packed, 250 MB unpacked. Source: Developer Guide, "Lambda quotas".
  awaitable<CodeRef> put(aws::Scope scope, std::string zip);
  awaitable<CodeRef> check(std::string zip);  // as put(), without keeping it
  // A folder of the host as it is; its hash is over the paths and contents. Throws InvalidParameterValueException.
  awaitable<CodeRef> local(std::string folder);
  // The unpacked folder, made when it is not there. Throws ServiceException when the stored pieces do not fit the hash.
  awaitable<std::string> folder(aws::Scope scope, CodeRef code);
  awaitable<std::string> read(aws::Scope scope, CodeRef code);
  awaitable<> remove(aws::Scope scope, CodeRef code);

 private:
  std::string unpack(std::string_view zip, const std::string& sha256);  // blocking
  storage::Store& store_;
  Entropy& entropy_;
  CodeOptions options_;
};

}  // namespace parvis::lambda
