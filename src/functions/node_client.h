// functions/node_client.h: the source of runtime/node/client.cjs, as compiled into the program.
#pragma once

#include <string_view>

namespace parvis::functions {

extern const std::string_view kNodeClient;

}  // namespace parvis::functions
