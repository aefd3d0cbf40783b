// platform/printer.h: the live log of `parvis dev`: one line per request and call, a function's output under it.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace parvis::platform {

struct PrinterOptions {
  bool json = false;    // the events as they are
  bool colour = false;
  bool calls = false;   // AWS API calls that succeeded, too
};

// The text for one event, with a final newline; empty when it is not shown. Control characters of foreign text are escaped.
std::string print_event(const boost::json::object& event, const PrinterOptions& options);

}  // namespace parvis::platform
