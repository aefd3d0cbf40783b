// functions/node_client.h: the sources of runtime/node/client.cjs and runtime/python/client.py, as compiled into the program.
#pragma once

#include <string_view>

namespace parvis::functions {

extern const std::string_view kNodeClient, kPythonClient;

}  // namespace parvis::functions
