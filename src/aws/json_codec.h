// aws/json_codec.h: generated structs to and from JSON. Answers are written straight to text, without a document.
#pragma once

#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "aws/model.h"

namespace parvis::aws {

// Bytes that are not the shape the model says. The text is what a SerializationException carries.
class DecodeError : public std::exception {
 public:
  explicit DecodeError(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

enum class JsonNames {
  kWire,       // locationName; only members of the body
  kModelled,   // member names, every location; the first letter's case makes no difference (calls from inside)
};

// Parses with a depth limit of 256. Throws DecodeError.
boost::json::value parse_json(std::string_view text, boost::json::storage_ptr storage = {});

// Fills `out` (a default-made value of the shape). Null is absent. Members that the shape does not have are left out and
// their paths added to `ignored` (at most 100). Throws DecodeError.
void decode_json(const Shape& shape, const boost::json::value& json, void* out, std::vector<std::string>& ignored,
                 JsonNames names = JsonNames::kWire);
// Appends. Timestamps that name no format are epoch seconds.
void encode_json(const Shape& shape, const void* value, std::string& out, JsonNames names = JsonNames::kWire);

// Appends text as a JSON string, quoted.
void write_json_string(std::string_view text, std::string& out);

}  // namespace parvis::aws
