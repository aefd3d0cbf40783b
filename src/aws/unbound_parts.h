// aws/unbound_parts.h: what the query string and the headers of a REST request say beyond the operation's members.
//
// AWS's services ignore such parts, and so do we; but whoever sent one believes that it does something, so it is reported. Parts
// that belong to the transport (signatures, tracing, retries, framing) are nobody's members. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "aws/model.h"
#include "http/message.h"

namespace parvis::aws::detail {

// Appends "?name" for a query parameter and "name:" for a header that begins with x-amz- or x-amzn-, up to 100 in all.
void note_unbound_parts(const OperationModel& op, const http::Headers& headers, const std::vector<std::pair<std::string, std::string>>& query,
                        std::vector<std::string>& ignored);

// Whether an operation's URI pattern itself has the parameter ("/restapis?mode=import").
bool is_in_uri(std::string_view uri, std::string_view parameter);

}  // namespace parvis::aws::detail
