// http/message.h: requests and answers as the rest of the project sees them; no parser type leaks out of http/.
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/async.h"

namespace parvis::http {

// Names compare without case; order and repeats are kept. All fields share one buffer: their views hold until the next change.
class Headers {
  struct Field { std::uint32_t name, name_size, value, value_size; };  // where in bytes_

 public:
  class Iterator {
   public:
    using Pair = std::pair<std::string_view, std::string_view>;
    using iterator_category = std::input_iterator_tag;
    using value_type = Pair;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Pair;
    Iterator(const Headers* headers, std::size_t at) : headers_(headers), at_(at) {}
    Pair operator*() const { return headers_->field(at_); }
    Iterator& operator++() { ++at_; return *this; }
    Iterator operator++(int) { Iterator was = *this; ++at_; return was; }
    bool operator==(const Iterator&) const = default;

   private:
    const Headers* headers_;
    std::size_t at_;
  };

  void add(std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);
  void erase(std::string_view name);
  std::optional<std::string_view> find(std::string_view name) const;  // the first
  std::string_view get(std::string_view name) const { return find(name).value_or(std::string_view{}); }
  std::vector<std::string_view> all(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, fields_.size()}; }
  std::size_t size() const { return fields_.size(); }

 private:
  Iterator::Pair field(std::size_t at) const {
    const Field& f = fields_[at];
    return {{bytes_.data() + f.name, f.name_size}, {bytes_.data() + f.value, f.value_size}};
  }
  bool is(std::size_t at, std::string_view name) const;

  std::vector<char> bytes_;  // on the heap at any size, so that moved headers keep their views
  std::vector<Field> fields_;
};

// A request body that cannot be read to its end. `status` is the answer it deserves when nothing was answered yet.
class BodyError : public std::runtime_error {
 public:
  BodyError(unsigned status, const char* what) : std::runtime_error(what), status_(status) {}
  unsigned status() const { return status_; }

 private:
  unsigned status_;
};

// A body read piece by piece. nullopt: the end. Throws BodyError when the peer breaks off or breaks a limit.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual awaitable<std::optional<std::string>> read() = 0;
};
// A body written piece by piece. write() returns when the peer has taken enough for the next piece.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual awaitable<> write(std::string bytes) = 0;
};

struct Request {
  std::string method;           // upper case
  std::string target;           // as sent: /path?query, not decoded
  std::string_view path() const;   // of target, not decoded
  std::string_view query() const;  // of target, without '?', not decoded
  std::string host;             // the Host header, lower case, with its port if it had one
  Headers headers;
  std::string body;             // whole, up to the site's buffer limit; empty when `stream` is set
  std::shared_ptr<ByteSource> stream;  // set instead of body when the site asked for streaming
  std::string remote_address;   // without the port
  std::uint16_t local_port = 0;
  bool tls = false;
};

struct Response {
  unsigned status = 200;
  Headers headers = {};           // Content-Length, Date and Connection are the server's business (see stream; HEAD keeps a given length)
  std::string body = {};
  // Set instead of body: called once with the open answer; returns when the body is complete. The answer is chunked,
  // unless `headers` has a Content-Length, which the pieces must then add up to. Not called for HEAD.
  std::function<awaitable<>(ByteSink&)> stream = {};
};

// "Not Found" for 404; "Unknown" for numbers it does not know.
std::string_view reason_phrase(unsigned status);
// Percent-decoding; nullopt for a malformed escape. `plus_is_space` for query strings and forms.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// RFC 3986 unreserved characters stay; '/' stays when `keep_slash`.
std::string percent_encode(std::string_view text, bool keep_slash = false);
// Decoded name/value pairs in order; a malformed escape stays as sent.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

}  // namespace parvis::http
