// cli/events.h: `parvis event`: a ready event of every kind of source that calls functions. The texts are events.json, compiled in.
//
// In it `${name}` is the value of an option, `${filter:name}` the value shaped (base64, gzip, md5, length, url, json, query, queries), `${#name}`
// a number. region, uuid, trace (new each), ms, s, iso, iso-s and clf (now) are there for all.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "core/clock.h"
#include "core/entropy.h"

namespace parvis::cli {

struct EventArguments {
  std::string source, kind;
  std::vector<std::string> options;  // --name=value
};

// A sentence for the user, which names what there is.
class EventError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// `kind` may be empty: the source's first one. Throws EventError.
boost::json::value make_event(const std::string& source, const std::string& kind, const std::map<std::string, std::string>& options, const Clock& clock, Entropy& entropy);

// Without a source: the list of all. 0, or 2 for what there is not.
int run_event(const EventArguments& arguments);

extern const std::string_view kEventsJson;

}  // namespace parvis::cli
