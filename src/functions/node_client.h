// functions/node_client.h: the sources of the runtimes' clients (runtime/node/client.cjs, runtime/python), as compiled into the program.
#pragma once

#include <string_view>

namespace parvis::functions {

extern const std::string_view kNodeClient, kPythonClient, kPythonPrepared;

}  // namespace parvis::functions
