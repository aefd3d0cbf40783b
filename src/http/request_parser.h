// http/request_parser.h: one request read from raw bytes. Internal to http/: the only header that shows Beast.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <boost/beast/http/basic_parser.hpp>

#include "http/message.h"

namespace parvis::http {

// Finds the end of a head in bytes that arrive piece by piece, and refuses what makes two readers disagree about where
// it ends: a bare LF and a continuation line.
class HeadScanner {
 public:
  enum class State { kMore, kBad, kDone };
  State scan(std::string_view bytes);  // `bytes` begins with what the call before saw
  std::size_t head_size() const { return pos_; }  // after kDone

 private:
  std::size_t pos_ = 0;
};

// Fed with the whole head first, then with pieces of the body. Body bytes collect in `body` until they are taken.
class RequestParser : public boost::beast::http::basic_parser<true> {
 public:
  explicit RequestParser(std::size_t header_bytes_max);
  Request request;
  std::string body;
  bool http11 = false;
  bool expect_continue = false;
  unsigned status = 0;  // set with an error: what to answer

  // Feeds; returns the bytes used. `status` != 0 when the message is refused.
  std::size_t feed(std::string_view bytes);
  // Checks across fields once the head is complete (Host, framing, version); sets `status`.
  void check_head();

 private:
  using error_code = boost::beast::error_code;
  using view = boost::beast::string_view;
  void on_request_impl(boost::beast::http::verb, view method, view target, int version, error_code&) override;
  void on_response_impl(int, view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field, view name, view value, error_code&) override;
  void on_header_impl(error_code&) override { head_done_ = true; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(view bytes, error_code&) override;
  void on_chunk_header_impl(std::uint64_t, view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, view bytes, error_code&) override;
  void on_finish_impl(error_code&) override {}
  void check_target();

  bool head_done_ = false;
  int version_ = 0;
};

}  // namespace parvis::http
