// logs/log_keys.h: keys and values of the keyspace that log_store.h describes. Internal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/logs/log_store.h"

namespace parvis::logs {

std::string group_key(const aws::Scope& scope, const std::string& group);
std::string stream_key(const aws::Scope& scope, const std::string& group, const std::string& stream);
std::string block_prefix(const aws::Scope& scope, const std::string& group, const std::string& stream);
std::string retained_key(const aws::Scope& scope, std::string_view group);
std::string encode_group(const GroupSettings& settings);
GroupSettings decode_group(std::string_view bytes);
std::vector<LogEvent> decode_events(std::string_view block);  // empty when it cannot be read

}  // namespace parvis::logs
