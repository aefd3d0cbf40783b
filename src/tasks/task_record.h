// tasks/task_record.h: how a task is stored: keys and the index entry.
#pragma once

#include <optional>
#include <string>

#include "storage/store.h"
#include "tasks/task_queue.h"

namespace parvis::tasks {

std::uint64_t shard_of(std::string_view id);
std::string shard_prefix(std::uint64_t shard);
std::string due_key(const Task& task);
// The first key of a shard that is due at `due` or later.
std::string due_position(std::uint64_t shard, Millis due);
std::string body_key(std::string_view id);
std::string lease_key(std::string_view id);

inline constexpr std::size_t kInlineBodyBytesMax = 1024;
std::string encode_entry(const Task& task);
// Without the body when that is a large one.
// nullopt for damaged bytes.
std::optional<Task> decode_entry(std::string_view json);

struct Lease {
  std::string owner;
  Millis until{};
};
std::string encode_lease(const Lease& lease);
std::optional<Lease> decode_lease(std::string_view json);

}  // namespace parvis::tasks
