// aws/resource_name.h: which resource an API call is about, for counting: the table, function, bucket or log group that its input names.
#pragma once

#include <string>
#include <vector>

#include "aws/model.h"

namespace parvis::aws {

// Plain names, without an ARN around them or a qualifier behind them; each once. Empty when the operation is about no single
// resource (ListTables), or names it in a place that is not looked at (PartiQL's statements). Cheap: the member is found once
// per operation and thread.
std::vector<std::string> resource_names(const OperationModel& op, const void* input);

// "arn:aws:dynamodb:…:table/music" and "arn:aws:lambda:…:function:f:live" → "music", "f"; other text stays.
std::string plain_resource_name(std::string_view text);

}  // namespace parvis::aws
