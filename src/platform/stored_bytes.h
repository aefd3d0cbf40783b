// platform/stored_bytes.h: how much each table, function, bucket and log group holds, asked of the services that know.
#pragma once

#include <map>

#include "aws/pipeline.h"
#include "platform/usage.h"
#include "services/logs/log_store.h"

namespace parvis::platform {

// The calls that ask have this origin; they are neither counted nor shown.
inline constexpr std::string_view kUsageOrigin = "usage";

// Of every account and Region. Tables are what their service keeps count of (items, indexes and all), functions their code as
// deployed, buckets every version of their objects, log groups their blocks. Buckets and log groups are walked through: this is
// for a page that somebody looks at, not for every second.
awaitable<std::map<UsageKey, StoredBytes>> stored_bytes(storage::Store& store, aws::Pipeline& pipeline, logs::LogStore& logs);

}  // namespace parvis::platform
