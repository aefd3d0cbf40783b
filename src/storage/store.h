// storage/store.h: the only door to durable state: ordered keys, snapshot reads, one kind of write.
//
// Keys and values are byte strings; keys order as unsigned bytes. Limits of one commit: kCommitBytesMax, kCommitKeysMax.
// Every method is thread-safe and resumes its caller on the caller's own executor.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/async.h"

namespace parvis::storage {

inline constexpr std::size_t kCommitBytesMax = 32u << 20;
inline constexpr std::size_t kCommitKeysMax = 5000;  // checks, guards, puts, stamped puts and deletes together
// A key is 1 to kKeyBytesMax bytes; a commit that names another is refused with kTooLarge.
inline constexpr std::size_t kKeyBytesMax = 16u << 10;

// Of one update over an adapter that cannot decide in turn.
inline constexpr int kUpdateAttemptsMax = 100;

// Order of a commit. Every commit has its own; later commits have larger ones.
using Stamp = std::uint64_t;
// The stamp of the commit that wrote a value.
using Version = Stamp;

struct Entry {
  std::string key;
  std::string value;
  Version version = 0;
};

struct Value {
  std::string bytes;
  Version version = 0;
};

// The key must carry exactly this version; nullopt: the key must be absent.
struct Check {
  std::string key;
  std::optional<Version> version;
};
// No commit after `as_of` may have written any key in [begin, end).
struct RangeGuard {
  std::string begin, end;
  Stamp as_of = 0;
};
struct Put {
  std::string key, value;
};
// A put whose key carries the commit's own stamp: prefix, 8 bytes big endian, suffix. A log in commit order costs no
// read and no contention this way. No reader may take what lies above stable_stamp(): earlier stamps can still appear.
struct StampedPut {
  std::string prefix, suffix, value;
  std::string key(Stamp stamp) const;
};

// Puts are applied before deletes, each in order; stamped puts are keys of their own. A commit that writes nothing validates its checks and guards.
struct Commit {
  std::vector<Check> checks;
  std::vector<RangeGuard> guards;
  std::vector<Put> puts;
  std::vector<std::string> deletes;
  std::vector<StampedPut> stamped;

  bool writes() const { return !puts.empty() || !deletes.empty() || !stamped.empty(); }
  Commit& check(std::string key, std::optional<Version> version);
  Commit& put(std::string key, std::string value);
  Commit& erase(std::string key);
  Commit& put_stamped(std::string prefix, std::string suffix, std::string value);
};

// A read-modify-write of `keys`: `decide` makes the commit out of their newest values (in the order of `keys`), and the
// store commits it only when they are still the newest. It may be called several times, on any thread, one call at a time;
// the last call counts. It must not block and must not use the store. The values may be of commits that are ordered but not
// yet durable: what came of them may leave `decide` only through its commit, what it throws, and what the caller looks at
// after update() has returned.
struct Update {
  std::vector<std::string> keys;
  std::move_only_function<Commit(std::span<const std::optional<Value>> newest)> decide;
};

enum class StoreErrc {
  kConflict,        // a check or guard failed; nothing was written
  kUnknownOutcome,  // it may or may not have been written; read and retry
  kTooLarge,        // over kCommitBytesMax or kCommitKeysMax
  kBusy,            // the queue of waiting commits, or of those that update one key, is full
  kCorruption,      // bytes on disk are not what was written
  kStopping,
};
std::string_view to_string(StoreErrc);

struct StoreError {
  StoreErrc code;
  std::string detail;
  std::string key;  // of the failed check, for kConflict
};

// Thrown by reads when stored bytes cannot be trusted (kCorruption) or read at all. It is no client's fault.
class StoreFault : public std::runtime_error {
 public:
  StoreFault(StoreErrc code, const std::string& detail) : std::runtime_error(detail), code_(code) {}
  StoreErrc code() const { return code_; }

 private:
  StoreErrc code_;
};

// nullopt when the commit keeps the limits above; kTooLarge otherwise. Every adapter asks this first.
std::optional<StoreError> check_limits(const Commit& commit);
std::optional<StoreError> check_limits(const Update& update);
// Keys and values that a commit carries, in bytes.
std::size_t commit_bytes(const Commit& commit);

struct ScanOptions {
  std::string begin = {};   // inclusive
  std::string end = {};     // exclusive; empty: no bound
  bool reverse = false;     // from end to begin
  std::size_t limit = 1000; // entries
  std::size_t bytes_max = 1u << 20;  // stops after the entry that passes it
};
struct ScanPage {
  std::vector<Entry> entries;
  bool more = false;  // entries remain in the range
};

// A consistent view of all commits up to stamp(). Reads never show state that could still be lost by a crash
// (with sync always). Cheap; hold it briefly (it pins old versions).
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  virtual Stamp stamp() const = 0;
  virtual awaitable<std::optional<Value>> get(std::string_view key) = 0;  // `key` outlives the call
  virtual awaitable<std::vector<std::optional<Value>>> multi_get(std::vector<std::string> keys) = 0;
  virtual awaitable<ScanPage> scan(ScanOptions options) = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  virtual std::shared_ptr<Snapshot> snapshot() = 0;
  // Returns when the commit is durable (sync always) or ordered and in the log (relaxed).
  virtual awaitable<std::expected<Stamp, StoreError>> commit(Commit commit) = 0;
  // Takes the turn of its keys, first come, first served, and returns when its commit and everything that was decided upon
  // are durable. A decision that writes nothing, or throws, is told (thrown) no sooner either. kConflict: a check or guard
  // of the commit itself failed; the keys alone never conflict on the embedded adapter. This implementation reads, decides,
  // commits, and starts again on a conflict, kUpdateAttemptsMax times.
  virtual awaitable<std::expected<Stamp, StoreError>> update(Update update);
  // The point below which no further commit can appear.
  virtual Stamp stable_stamp() const = 0;
  // Bytes in the store, for the meter and the health page; an estimate.
  virtual std::uint64_t size_bytes() const = 0;
};

// The smallest key greater than every key that begins with `prefix` ("" when there is none).
std::string prefix_end(std::string_view prefix);

}  // namespace parvis::storage
