#include "http/request_parser.h"

#include <algorithm>
#include <array>

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

#include "core/ascii.h"

namespace parvis::http {
namespace {

namespace bh = boost::beast::http;

unsigned status_of(const boost::beast::error_code& ec) {
  if (ec == bh::error::header_limit) return 431;
  if (ec == bh::error::body_limit) return 413;
  if (ec == bh::error::bad_version) return 505;
  return 400;
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

constexpr auto kHostLetters = [] {
  std::array<bool, 256> out{};
  for (const unsigned char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789-._:[]~!$&'()*+,;=%")) out[c] = true;
  return out;
}();

bool host_is_clean(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](unsigned char c) { return kHostLetters[c]; });
}

}  // namespace

HeadScanner::State HeadScanner::scan(std::string_view bytes) {
  while (pos_ < bytes.size()) {
    if (pos_ > 0 && bytes[pos_ - 1] == '\n' && (bytes[pos_] == ' ' || bytes[pos_] == '\t')) return State::kBad;
    const std::size_t lf = bytes.find('\n', pos_);
    if (lf == std::string_view::npos) {
      pos_ = bytes.size();
      return State::kMore;
    }
    if (lf == 0 || bytes[lf - 1] != '\r') return State::kBad;
    pos_ = lf + 1;
    if (lf >= 3 && bytes[lf - 2] == '\n' && bytes[lf - 3] == '\r') return State::kDone;
  }
  return State::kMore;
}

RequestParser::RequestParser(std::size_t header_bytes_max) {
  header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(header_bytes_max, 16u << 20)));
  body_limit(boost::none);
}

std::size_t RequestParser::feed(std::string_view bytes) {
  error_code ec;
  const std::size_t used = put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
  if (ec && ec != bh::error::need_more && status == 0) status = status_of(ec);
  return used;
}

void RequestParser::on_request_impl(bh::verb, view method, view target, int version, error_code&) {
  request.method.assign(method.data(), method.size());
  request.target.assign(target.data(), target.size());
  version_ = version;
  http11 = version == 11;
}

void RequestParser::on_field_impl(bh::field, view name, view value, error_code&) {
  if (!head_done_) request.headers.add(name, value);  // trailers are read and dropped
}

std::size_t RequestParser::on_body_impl(view bytes, error_code&) {
  body.append(bytes.data(), bytes.size());
  return bytes.size();
}
std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, view bytes, error_code&) {
  body.append(bytes.data(), bytes.size());
  return bytes.size();
}

void RequestParser::check_target() {
  std::string& target = request.target;
  const std::string lead = to_lower(std::string_view(target).substr(0, 8));
  if (const std::size_t skip = lead.starts_with("http://") ? 7 : lead == "https://" ? 8 : 0; skip > 0) {
    // The absolute form names the host; it wins over the Host header (RFC 9112 section 3.2.2).
    const std::size_t end = std::min(target.find_first_of("/?", skip), target.size());
    request.host = to_lower(std::string_view(target).substr(skip, end - skip));
    target.erase(0, end);
    if (!target.starts_with('/')) target.insert(0, "/");
  }
  const bool asterisk = target == "*" && request.method == "OPTIONS";
  if (!target.starts_with('/') && !asterisk) status = 400;
}

void RequestParser::check_head() {
  if (status != 0) return;
  if (version_ != 10 && version_ != 11) {
    status = 505;
    return;
  }
  std::size_t hosts = 0, lengths = 0, codings = 0;
  std::string_view host, length, coding;
  std::optional<std::string_view> expect;
  for (const auto& [name, value] : request.headers) {
    if (equal_no_case(name, "host") && ++hosts == 1) host = value;
    else if (equal_no_case(name, "content-length") && ++lengths == 1) length = value;
    else if (equal_no_case(name, "transfer-encoding") && ++codings == 1) coding = value;
    else if (equal_no_case(name, "expect") && !expect) expect = value;
  }
  if (hosts > 1 || (http11 && hosts == 0)) status = 400;
  request.host = to_lower(host);
  check_target();
  if (!host_is_clean(request.host)) status = 400;
  // One length, plain digits; or one coding, exactly "chunked", and only in HTTP/1.1. Anything else has two readings.
  if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) status = 400;
  if (lengths > 0 && !all_digits(length)) status = 400;
  if (codings > 0 && (!http11 || !equal_no_case(coding, "chunked") || !chunked())) status = 400;
  if (status != 0) return;
  if (expect && http11) {
    if (equal_no_case(*expect, "100-continue")) expect_continue = true;
    else status = 417;
  }
}

}  // namespace parvis::http
