// lambda/code.h: deployment packages: checked, kept as blobs, unpacked on this node when a worker needs them.
//
// A package is marked loose from the commit that publishes its blob until the commit that writes the record naming it
// (hold()), and again from the commit that writes a record without it (let_go()) until it is removed. A crash between any
// two of these leaves a marker, and collect() removes what is marked: no package stays without an owner.
#pragma once

#include <string>

#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "services/lambda/function.h"
#include "storage/blob_store.h"

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

class CodeStore {  // thread-safe; `store`, `entropy` and `clock` outlive it
 public:
  CodeStore(storage::Store& store, Entropy& entropy, const Clock& clock, CodeOptions options);

  // Throws: InvalidParameterValueException (no zip file, unsafe or too large inside), RequestEntityTooLargeException.
  // The bytes are durable when it returns, and loose until a record that names them is written with hold().
  // Limits: 50 MB packed, 250 MB unpacked. Source: Developer Guide, "Lambda quotas".
  awaitable<CodeRef> put(aws::Scope scope, std::string zip);
  awaitable<CodeRef> check(std::string zip);  // as put(), without keeping it
  // A folder of the host as it is; its hash is over the paths and contents. Throws InvalidParameterValueException.
  awaitable<CodeRef> local(std::string folder);
  // The unpacked folder, made when it is not there. Throws ServiceException when the stored bytes do not fit the hash.
  awaitable<std::string> folder(aws::Scope scope, CodeRef code);
  awaitable<std::string> read(aws::Scope scope, CodeRef code);
  // One folder with the contents of all layers, as a worker sees it under /opt: later ones over earlier ones. "" for none.
  awaitable<std::string> layers_folder(aws::Scope scope, std::vector<LayerUse> layers);
  awaitable<std::uint64_t> unpacked_bytes(aws::Scope scope, CodeRef code);
  // To be put into the commit that writes, or stops having, a record with this code. Nothing for local folders.
  static void hold(const aws::Scope& scope, const CodeRef& code, storage::Commit& commit);
  static void let_go(const aws::Scope& scope, const CodeRef& code, storage::Commit& commit);
  // Removes a loose package and its marker. One that is gone already is as good.
  awaitable<> remove(aws::Scope scope, CodeRef code);
  // Removes what is loose in this account and Region. Only while no operation runs: at start.
  awaitable<> collect(aws::Scope scope);

 private:
  storage::BlobStore packages(const aws::Scope& scope);
  std::string unpack(std::string_view zip, const std::string& sha256);  // blocking
  std::string merge(const std::vector<std::string>& folders, const std::string& name);  // blocking
  std::string finish(const std::string& staging, const std::string& target);
  storage::Store& store_;
  Entropy& entropy_;
  const Clock& clock_;
  CodeOptions options_;
};

}  // namespace parvis::lambda
