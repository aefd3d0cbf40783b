#include "tasks/task_record.h"

#include <boost/json.hpp>

#include "core/hash.h"
#include "storage/tuple.h"

namespace parvis::tasks {
namespace {

namespace json = boost::json;

storage::TupleWriter tasks(std::string_view kind) {
  storage::TupleWriter key;
  key.string("").string("").string("tasks").string(kind);
  return key;
}

std::int64_t count(Millis time) { return time.time_since_epoch().count(); }
Millis time_of(const json::object& record, std::string_view name) { return Millis(std::chrono::milliseconds(record.at(name).as_int64())); }

}  // namespace

std::uint64_t shard_of(std::string_view id) { return crc32c(id) % kShards; }

std::string shard_prefix(std::uint64_t shard) { return tasks("due").u64(shard).take(); }

std::string due_position(std::uint64_t shard, Millis due) { return tasks("due").u64(shard).i64(count(due)).take(); }

std::string due_key(const Task& task) { return tasks("due").u64(shard_of(task.id)).i64(count(task.due)).string(task.id).take(); }

std::string body_key(std::string_view id) { return tasks("body").string(id).take(); }

std::string lease_key(std::string_view id) { return tasks("lease").string(id).take(); }

std::string encode_entry(const Task& task) {
  std::string out = json::serialize(json::object{{"format", 1}, {"id", task.id}, {"kind", task.kind}, {"target", task.target}, {"account", task.account},
                                      {"region", task.region}, {"due", count(task.due)}, {"accepted", count(task.accepted)},
                                      {"failures", task.failures}, {"delays", task.delays}});
  if (task.body.size() <= kInlineBodyBytesMax) out += '\n' + task.body;
  return out;
}

std::optional<Task> decode_entry(std::string_view text) try {
  const std::size_t end = text.find('\n');  // JSON as it is written here has none
  const json::value parsed = json::parse(text.substr(0, end));
  const json::object& record = parsed.as_object();
  if (record.at("format").as_int64() != 1) return std::nullopt;
  const auto string = [&](std::string_view name) { return std::string(record.at(name).as_string()); };
  Task task;
  if (end != text.npos) task.body = text.substr(end + 1);
  task.id = string("id");
  task.kind = string("kind");
  task.target = string("target");
  task.account = string("account");
  task.region = string("region");
  task.due = time_of(record, "due");
  task.accepted = time_of(record, "accepted");
  task.failures = record.at("failures").to_number<int>();
  task.delays = record.at("delays").to_number<int>();
  return task;
} catch (const std::exception&) {
  return std::nullopt;
}

std::string encode_lease(const Lease& lease) { return json::serialize(json::object{{"owner", lease.owner}, {"until", count(lease.until)}}); }

std::optional<Lease> decode_lease(std::string_view text) try {
  const json::value parsed = json::parse(text);
  return Lease{std::string(parsed.at("owner").as_string()), time_of(parsed.as_object(), "until")};
} catch (const std::exception&) {
  return std::nullopt;
}

}  // namespace parvis::tasks
